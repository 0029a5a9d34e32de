"""A domain file is read whole or refused with the key's name and what would be right."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from data.domains.domain import CONFIGS, config_root, load_domain, load_domains
from data.errors import InvalidDomain, UnknownName
from support.fakes.own_files import changed

STREAM = {"window_s": 1, "hop_s": 0.5, "min_length_s": 0}
KEEP = {"sample": 0, "unsure": True, "unknown": True, "clips": True, "days": 30}
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def write(folder: Path, change: dict[str, Any], name: str = "faults") -> Path:
    raw = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    return changed(folder, raw, change)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_domain_is_valid(name: str) -> None:
    domain = load_domain(CONFIGS / f"{name}.yaml")
    assert domain.name == name
    assert min(domain.window) > 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, ["unknown key 'colour'", "labels"]),
        ({"input.windo_s": 5}, ["unknown key 'input.windo_s'", "window_s"]),
        ({"features.n_mels": ...}, ["'features.n_mels' is missing"]),
        ({"task": "dance"}, ["'task'", "'classify'"]),
        ({"labels": ["one"]}, ["'labels'", "2 items"]),
        ({"labels": ["a", "b", "a"]}, ["labels must be different"]),
        ({"features.fmax_hz": 9000}, ["fmax_hz <= 8000", "half the sample rate"]),
        ({"input.hop_s": 6}, ["hop_s (6.0) must not exceed window_s (5.0)"]),
        ({"limits.max_duration_s": 1}, ["limits.max_duration_s"]),
        ({"stream": {**STREAM, "hop_s": 1.5}}, ["hop_s (1.5) must not exceed window_s (1)"]),
        (
            {"stream": {**STREAM, "window_s": 60}, "limits.max_duration_s": 30},
            ["stream.window_s (60) must not exceed limits.max_duration_s (30)"],
        ),
        ({"keep": KEEP, "retention_days": 20}, ["keep.days (30) must not exceed", "(20)"]),
        ({"labels": ["one", "two/three"]}, ["'labels.1'", "match"]),
        ({"labels": ["one", ""]}, ["'labels.1'", "match"]),
        ({"input.hop_s": 0.00001}, ["hop_s", "at least one sample"]),
        ({"network.channels": [24, 0]}, ["'network.channels.1'", "greater than or equal to 1"]),
        ({"training.seed": -1}, ["'training.seed'", "greater than or equal to 0"]),
        ({"source.layout": "masks"}, ["'source.layout'", "'manifest' or 'folders'"]),
        ({"features.hop_length": 2000}, ["hop_length (2000) must not exceed n_fft (1024)"]),
        ({"rest_label": "silence"}, ["rest_label (silence) must be one of the labels"]),
        ({"examples": ["hum", "whale"]}, ["'examples.1'", "'hum', 'knocking', 'hiss'"]),
        ({"examples": ["hum"] * 4}, ["'examples'", "at most 3 items"]),
        ({"training.epochs": "many"}, ["'training.epochs'", "integer"]),
        ({"training.min_workers": 2}, ["min_workers (2) must not exceed workers (1)"]),
        ({"serving.split": {3: 0.7, 4: 0.4}}, ["serving.split must not exceed 1", "'3': 0.7"]),
    ],
)
def test_a_wrong_key_or_value_is_named(
    tmp_path: Path, change: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InvalidDomain) as refused:
        load_domain(write(tmp_path, change))
    assert str(refused.value).startswith("mine.yaml: ")
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modality": "smell"}, ["'modality'", "audio, image"]),
        ({"task": "classify"}, ["'task'", "'segment'"]),
        ({"labels": ["crack"]}, ["'labels.1' is missing"]),
        ({"input.window_px": 100}, ["input.window_px (100) must be a multiple of 8", "3 times"]),
        ({"input.max_side_px": 128}, ["window_px (192) must not exceed max_side_px (128)"]),
        ({"input.sample_rate_hz": 8000}, ["unknown key 'input.sample_rate_hz'", "max_side_px"]),
        ({"network.kind": "cnn"}, ["'network.kind'", "'unet'"]),
        ({"source.layout": "folders"}, ["'source.layout'", "'masks'"]),
        ({"limits.max_pixels": 10**9}, ["'limits.max_pixels'", "80000000"]),
        ({"features": {"n_mels": 64}}, ["unknown key 'features'", "network"]),
    ],
)
def test_a_wrong_key_or_value_of_photographs_is_named(
    tmp_path: Path, change: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InvalidDomain) as refused:
        load_domain(write(tmp_path, change, "cracks"))
    for word in words:
        assert word in str(refused.value)


def test_sounds_to_try_change_nothing_of_what_is_learnt(tmp_path: Path) -> None:
    without, given = (
        load_domain(write(tmp_path, change)) for change in ({}, {"examples": ["hum", "bang"]})
    )
    assert given != without
    assert given.recipe_digest == without.recipe_digest
    assert "examples" not in without.model_dump()  # nor in bundles of before there were any


def test_recordings_come_before_photographs() -> None:
    modalities = [domain.modality for domain in load_domains().values()]
    assert modalities == sorted(modalities)


@pytest.mark.parametrize("text", ["", "- a list", "title: [unclosed"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidDomain, match=r"mine\.yaml"):
        load_domain(path)


def test_an_unknown_domain_lists_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="cracks, faults, hearts, keywords, wildlife"):
        load_domains(names=("elephants",))


def test_an_unknown_label_lists_the_known_ones() -> None:
    domain = load_domain(CONFIGS / "faults.yaml")
    with pytest.raises(UnknownName, match="electrical, fluid, mechanical, normal"):
        domain.label_index("magical")


def test_ones_own_folder_of_domains_takes_the_place_of_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"title": "Mine"})
    monkeypatch.setenv("TELLTALE_CONFIGS", str(tmp_path))
    assert {name: domain.title for name, domain in load_domains().items()} == {"mine": "Mine"}
    with pytest.raises(UnknownName, match="the domains are mine$"):
        load_domains(names=("faults",))


def test_without_a_folder_of_ones_own_the_shipped_domains_are_known() -> None:
    assert config_root({}) == config_root({"TELLTALE_CONFIGS": ""}) == CONFIGS


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_domains_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("TELLTALE_CONFIGS", str(tmp_path / name))
    with pytest.raises(InvalidDomain, match=f"{name} holds no domain file .*TELLTALE_CONFIGS"):
        load_domains()
