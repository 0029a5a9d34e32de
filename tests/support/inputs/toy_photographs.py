"""Photographs that a network learns in seconds: dark lines on grey walls, in the usual layout."""

import csv
from pathlib import Path

from data.domains.domain import ImageDomain, load_domains
from support.inputs.pictures import cracked

TRAIN, TEST, BARE = 14, 4, 2  # BARE of the training photographs show no crack


def toy_photo_domain(epochs: int) -> ImageDomain:
    """The shipped domain with a network and a schedule of seconds."""
    domain = load_domains(names=("cracks",))["cracks"]
    assert isinstance(domain, ImageDomain)
    network = domain.network.model_copy(update={"channels": (4, 8, 16), "embedding": 8})
    training = domain.training.model_copy(
        update={"epochs": epochs, "batch_size": 4, "learning_rate": 0.03}
    )
    small = domain.input.model_copy(update={"window_px": 64})
    return domain.model_copy(update={"network": network, "training": training, "input": small})


def toy_photographs(root: Path, domain: ImageDomain) -> Path:
    folder = root / domain.source.dataset
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        table = csv.writer(lines)
        table.writerow(["path", "mask", "group", "split", "source"])
        for number in range(TRAIN + TEST):
            bare = number < BARE
            photograph, mask = cracked(number, crack=not bare)
            (folder / f"{number}.png").write_bytes(photograph)
            if not bare:
                (folder / f"{number}_mask.png").write_bytes(mask)
            split = "train" if number < TRAIN else "test"
            mask_path = "" if bare else f"{number}_mask.png"
            table.writerow([f"{number}.png", mask_path, f"wall {number}", split, "toy"])
    return root
