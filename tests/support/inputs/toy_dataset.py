"""A data set that a network learns in seconds: one tone a label, in the usual layout."""

import csv
from pathlib import Path

from data.domains.domain import AudioDomain, Domain, of_sounds
from data.domains.sections import LogMelSpec
from support.inputs.sounds import tone

TRAIN, TEST = 8, 3


def toy_dataset(root: Path, domain: Domain) -> Path:
    """Writes `root/<data set>/` with TRAIN and TEST clips a label; returns `root`."""
    folder = root / domain.source.dataset
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        table = csv.writer(lines)
        table.writerow(["path", "label", "group", "split", "source"])
        for place, label in enumerate(domain.labels):
            for take in range(TRAIN + TEST):
                name = f"{label}_{take}.wav"
                (folder / name).write_bytes(toy_clip(domain, label, seed=100 * place + take))
                split = "train" if take < TRAIN else "test"
                table.writerow([name, label, f"{label}:{take}", split, f"toy:{label}"])
    return root


def toy_clip(domain: Domain, label: str, seed: int) -> bytes:
    domain = of_sounds(domain)
    assert isinstance(domain.features, LogMelSpec), domain.features
    step = (domain.features.fmax_hz - 400) / len(domain.labels)
    hz = 200 + step * domain.label_index(label) + seed % 7
    return tone(hz, domain.input.window_s * 0.8, domain.input.sample_rate_hz, seed)


def toy_domain(domain: Domain, epochs: int) -> AudioDomain:
    """The domain with a network and a schedule of seconds."""
    domain = of_sounds(domain)
    sizes = domain.input.model_copy(update={"window_s": 1.0, "hop_s": 0.5})
    network = domain.network.model_copy(update={"channels": (8, 16, 24), "embedding": 16})
    augment = domain.training.augment.model_copy(
        update={"speed": 0.0, "mixup_alpha": 0.0, "time_shift_s": 0.2}
    )
    training = domain.training.model_copy(
        update={
            "epochs": epochs,
            "batch_size": 8,
            "learning_rate": 0.01,
            "augment": augment,
            "start_from": None,  # no pretrained network is so small
        }
    )
    return domain.model_copy(update={"input": sizes, "network": network, "training": training})
