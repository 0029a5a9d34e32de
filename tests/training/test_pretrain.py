"""pretrain.py and training/crossval.py: trainings beside the service, on toy data sets."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from data.domains.domain import AudioDomain, load_domains
from models.networks import backbone
from models.networks.backbone import start_from
from models.networks.kinds import build_network
from support.inputs.toy_dataset import toy_dataset, toy_domain
from training import crossval, pretrain


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AudioDomain:
    """The only one of its service, with its data set at hand."""
    found = toy_domain(load_domains(names=("faults",))["faults"], epochs=6)
    configs = tmp_path / "configs"
    configs.mkdir()
    text = yaml.safe_dump(found.model_dump(mode="json", exclude={"name"}))
    (configs / "faults.yaml").write_text(text)
    monkeypatch.setenv("TELLTALE_CONFIGS", str(configs))
    monkeypatch.setenv("TELLTALE_DATASETS", str(toy_dataset(tmp_path / "datasets", found)))
    return found


def test_a_domain_starts_from_what_its_sounds_taught(
    domain: AudioDomain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fields = ("title", "input", "features", "network", "training")
    recipe = domain.model_dump(mode="json", include=set(fields))
    recipe |= {"data_sets": ["faults"], "licence": "ours"}
    recipe["training"]["sampling"] = "balanced"
    (tmp_path / "toys.yaml").write_text(yaml.safe_dump(recipe))
    told = [str(tmp_path / "toys.yaml"), "--work", str(tmp_path / "work")]
    assert pretrain.main([*told, "--output", str(tmp_path / "backbones" / "toys")]) == 0
    assert "Backbone toys: macro-F1" in capsys.readouterr().out
    card = json.loads((tmp_path / "backbones" / "toys" / "backbone.json").read_text())
    assert card["facts"]["classes"] == sorted(domain.labels)
    learnt = card["facts"]["clips"] - card["facts"]["validation_clips"]
    assert len(card["learnt_groups"]) == learnt, "each toy clip is a group"
    assert not list((tmp_path / "work" / "runs").glob("toys*")), "nothing is left of a run's clips"

    monkeypatch.setattr(backbone, "BACKBONES", tmp_path / "backbones")
    network = build_network(domain)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_from("toys", network, domain)
    assert any(not torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_a_recipe_that_is_not_there_is_said_with_those_that_are(
    domain: AudioDomain, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pretrain.main(["birds"]) == 1
    assert "no recipe birds.yaml; name one of sounds" in capsys.readouterr().err


def test_folds_are_trained_once_and_told_together(
    domain: AudioDomain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["faults", "--folds", "group", "--parts", "2", "--work", str(tmp_path / "work")]
    assert crossval.main(told) == 0
    first = capsys.readouterr().out
    assert first.count("Training on") == 2
    line = first.splitlines()[-1]
    assert "group split, 2 parts; accuracy " in line
    assert "44 clips in 44 groups" in line
    assert crossval.main(told) == 0
    again = capsys.readouterr().out
    assert "Training on" not in again
    assert again.splitlines()[-1] == line


def test_a_label_nobody_taught_is_counted_as_unknown_or_not(
    domain: AudioDomain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["faults", "--leave-out", "label", "--only", "fluid", "--work", str(tmp_path / "work")]
    assert crossval.main(told) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert "unseen label; called unknown: " in line
    assert "(fluid " in line
