"""network_specs.py: a domain chooses its network, and is told what that one needs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from data.domains.domain import CONFIGS, AudioDomain, load_domain, load_domains
from data.domains.network_specs import AUDIO_NETWORKS
from data.errors import InvalidDomain
from models.bundle import PRETRAINED, load_bundle
from support.fakes.own_files import changed
from support.inputs.network_sizes import SIZES, of_kind

FAULTS = load_domains(names=("faults",))["faults"]


def written(folder: Path, kind: str, change: dict[str, Any]) -> Path:
    """The file of a domain with that kind of network, and with one key more or other."""
    raw = of_kind(FAULTS, kind).model_dump(mode="json", exclude={"name"})
    return changed(folder, raw, change)


@pytest.mark.parametrize("kind", SIZES)
def test_a_file_chooses_its_network(tmp_path: Path, kind: str) -> None:
    assert load_domain(written(tmp_path, kind, {})).network.kind == kind


KINDS = ", ".join(AUDIO_NETWORKS)


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("crnn", {"network.kind": "transformer"}, ["'network.kind'", KINDS]),
        ("crnn", {"network": {"embedding": 64}}, ["'network.kind'", KINDS]),
        ("crnn", {"network.kind": "unet"}, ["'network.kind'", KINDS]),
        ("crnn", {"network.hidden": [9]}, ["unknown key 'network.hidden'", "heads", "recurrent"]),
        ("crnn", {"network.recurrent": 0}, ["'network.recurrent'", "greater than or equal to 8"]),
        ("crnn", {"network.heads": 5}, ["heads (5) must divide twice recurrent (128)"]),
        ("mlp", {"network.channels": [9, 9]}, ["unknown key 'network.channels'", "stretch_s"]),
        ("mlp", {"network.mfcc": 65}, ["network.mfcc (65) must not exceed n_mels (64)"]),
        ("mlp", {"network.stretch_s": 6}, ["stretch_s (6.0) must not exceed window_s (5.0)"]),
        ("mlp", {"network.stretch_s": 0.03}, ["shorter than two frames"]),
        ("mlp", {"features": {"kind": "waveform"}, "training.augment.freq_masks": 0,
                 "training.augment.time_masks": 0}, ["mlp needs features.kind log_mel"]),
        ("mlp", {"features.kind": "cepstrum"}, ["'features.kind'", "log_mel, waveform"]),
        ("mlp", {"features.mels": 3}, ["unknown key 'features.mels'", "n_mels"]),
        ("wav2vec2_base", {"features.n_mels": 3}, ["unknown key 'features.n_mels'", "kind"]),
        ("wav2vec2_base", {"features": FAULTS.model_dump()["features"]}, ["kind waveform, got"]),
        ("wav2vec2_base", {"input.sample_rate_hz": 8000}, ["must be that, got 8000"]),
        ("wav2vec2_base", {"training.augment.time_masks": 1}, ["colour_db must be 0"]),
        ("wav2vec2_base", {"network.width": 33}, ["'network.width'", "multiple of 16"]),
        ("wav2vec2_base", {"network.heads": 5}, ["heads (5) must divide width (32)"]),
        ("crnn", {"training.crop_s": 6}, ["crop_s (6.0) must not exceed window_s (5.0)"]),
        ("crnn", {"training.crop_s": 0.03}, ["(0.03) must be at least 1024 samples"]),
        ("mlp", {"training.crop_s": 2}, ["mlp takes whole windows only"]),
        ("wav2vec2_base", {"training.crop_s": 0.01}, ["at least 400 samples, 0.025 s"]),
        ("wav2vec2_base", {"network.weights": "w.pth"}, ["from / on, got w.pth"]),
        ("speech_embedding", {"features.mel_scale": "htk"}, ["one log-mel", "'n_mels': 32"]),
        ("speech_embedding", {"input.sample_rate_hz": 16000}, ["sample_rate_hz 8000"]),
        ("speech_embedding", {"input.window_s": 0.5, "input.hop_s": 0.2}, ["hears 0.76 s at once"]),
        ("speech_embedding", {"training.start_from": None}, ["needs training.start_from: speech"]),
        ("speech_embedding", {"training.crop_s": 2}, ["takes whole windows only"]),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_of_a_network_is_named(
    tmp_path: Path, kind: str, change: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InvalidDomain) as refused:
        load_domain(written(tmp_path, kind, change))
    for word in words:
        assert word in str(refused.value)


def test_a_file_that_does_not_say_what_its_features_are_means_the_log_mel(tmp_path: Path) -> None:
    raw = yaml.safe_load((CONFIGS / "faults.yaml").read_text(encoding="utf-8"))
    raw["features"].pop("kind", None)
    path = tmp_path / "faults.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    domain = load_domain(path)
    assert isinstance(domain, AudioDomain)
    assert domain.features.kind == "log_mel"
    assert domain == FAULTS


def test_a_bundle_from_before_features_had_kinds_is_of_the_log_mel() -> None:
    trained = load_bundle(PRETRAINED / "faults").domain
    assert isinstance(trained, AudioDomain)
    assert trained.features.kind == "log_mel"


def test_where_weights_lay_on_the_machine_that_trained_is_not_told() -> None:
    domain = of_kind(FAULTS, "wav2vec2_base", weights="/home/anna/base.pth")
    assert "anna" not in domain.model_dump_json()
