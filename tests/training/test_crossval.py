"""crossval.py: what a comparison trains on, and what it says of it; nothing is trained."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.domains.domain import AudioDomain, Domain, load_domains
from data.errors import InvalidParameter
from models.networks.backbone import BackboneCard
from support.inputs.toy_dataset import toy_dataset, toy_domain
from support.inputs.toy_photographs import toy_photo_domain, toy_photographs
from training import crossval, pretrain
from training.assess.crossval_figures import FoldPrediction
from training.assess.folds import Fold, leave_out

SPEAKERS = 3


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """With a data set that names speakers, and a backbone to start from that nobody has."""
    found = toy_domain(load_domains(names=("faults",))["faults"], epochs=6)
    root = toy_dataset(tmp_path / "datasets", found)
    manifest = root / "faults" / "manifest.csv"
    with manifest.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    with manifest.open("w", newline="") as lines:
        table = csv.DictWriter(lines, [*rows[0], "speaker"])
        table.writeheader()
        table.writerows(row | {"speaker": f"s{place % SPEAKERS}"} for place, row in enumerate(rows))
    raw = found.model_dump(mode="json", exclude={"name"})
    raw["training"]["start_from"] = "sounds"
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "faults.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.setenv("TELLTALE_CONFIGS", str(configs))
    monkeypatch.setenv("TELLTALE_DATASETS", str(root))
    monkeypatch.setattr(crossval, "CARDS", tmp_path / "cards")
    return found


@pytest.fixture
def asked(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> list[Fold]:
    """The folds that models were wanted of; each answers rightly, but for the first speaker."""
    folds: list[Fold] = []

    def answers_of(fold: Fold, work: Path, workers: int, exam: object) -> list[FoldPrediction]:
        folds.append(fold)
        known = fold.domain.labels
        return [
            FoldPrediction(
                row.path.name,
                row.group,
                row.label,
                known[0] if row.columns["speaker"] == "s0" or row.label not in known else row.label,
                0.9,
                row.label not in known,
            )
            for row in [*fold.exam, *fold.strangers]
        ]

    monkeypatch.setattr(crossval, "fold_predictions", answers_of)
    return folds


def test_folds_start_from_a_backbone_that_has_heard_none_of_their_clips(
    asked: list[Fold], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crossval.main(["faults", "--folds", "group"]) == 0
    assert [fold.domain.start_from for fold in asked] == ["sounds"] * 5
    assert "started from sounds" in capsys.readouterr().out


def test_every_fold_learns_from_scratch_where_its_backbone_may_have_heard_it(
    asked: list[Fold], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(BackboneCard, "has_learnt", lambda *_: {"anna"})
    assert crossval.main(["faults", "--folds", "group"]) == 0
    assert len(asked) == 5
    for fold in asked:
        assert isinstance(fold.domain, AudioDomain)
        assert fold.domain.training.start_from is None
    assert "from scratch" in capsys.readouterr().out


def recorded(tmp_path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (tmp_path / "cards" / "faults.protocols.json").read_text()
    )
    return found


def test_unseen_speakers_are_drawn_whole_and_what_is_recorded_says_of_which_recipe(
    asked: list[Fold], domain: Domain, tmp_path: Path
) -> None:
    """One of three speakers is not understood: as little is known as of three answers."""
    assert crossval.main(["faults", "--leave-out", "speaker", "--record"]) == 0
    (entry,) = recorded(tmp_path)
    accuracy = entry["figures"]["accuracy"]
    assert accuracy["low"] < 0.4
    assert accuracy["high"] == 1
    assert "44 clips in 3 groups" in entry["note"]
    assert entry["recipe"] == domain.recipe_digest
    assert entry["code"]


def test_strangers_called_unknown_are_recorded_with_intervals(
    asked: list[Fold], tmp_path: Path
) -> None:
    assert crossval.main(["faults", "--leave-out", "label", "--record"]) == 0
    figures = recorded(tmp_path)[0]["figures"]
    assert figures["unknown_strangers"] == {"value": 1, "low": 1, "high": 1}
    assert figures["unknown_known"]["value"] == 0


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--folds", "group", "--only", "part-9"], r"no fold 'part-9'; there are part-1, part-2"),
        (["--folds", "group", "--record", "--only", "part-1"], "without --only and --train"),
        (["--folds", "group", "--record", "--train"], "without --only and --train"),
        (["--leave-out", "label", "--train"], "electrical has no clip to be asked about"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_trained(
    asked: list[Fold], told: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crossval.main(["faults", *told]) == 1
    assert re.search(words, capsys.readouterr().err)
    assert asked == []


def test_only_clips_of_known_domains_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert crossval.main(["wombats", "--folds", "group"]) == 1
    assert "no domain 'wombats'; the domains are" in capsys.readouterr().err


def test_two_labels_less_one_are_no_question(domain: Domain) -> None:
    two = domain.model_copy(update={"labels": domain.labels[:2]})
    with pytest.raises(InvalidParameter, match="has 2 labels; without one of them"):
        leave_out(two, [], "label")


@pytest.mark.parametrize(
    ("main", "told"),
    [
        (crossval.main, ["faults", "--folds", "group", "--parts", "1"]),
        (crossval.main, ["faults", "--folds", "group", "--workers", "-1"]),
        (pretrain.main, ["sounds", "--epochs", "0"]),
        (pretrain.main, ["sounds", "--workers", "-1"]),
    ],
)
def test_impossible_numbers_are_refused(
    main: Callable[[list[str]], int], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(told)
    assert "is not a whole number of at least" in capsys.readouterr().err


def test_folds_of_photographs_tell_how_well_masks_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = toy_photo_domain(epochs=1)
    root = toy_photographs(tmp_path / "datasets", photographs)
    monkeypatch.setenv("TELLTALE_DATASETS", str(root))
    monkeypatch.setattr(crossval, "any_data_set", lambda name: photographs)
    where = ["--work", str(tmp_path / "work"), "--parts", "2", "--folds", "group"]
    assert crossval.main(["cracks", *where]) == 0
    said = capsys.readouterr().out
    assert re.search(r"group split, 2 parts; Dice [\d.]+ \([\d.]+ to [\d.]+\); IoU", said)
    assert "18 clips in 18 groups; Dice of 2 models" in said
    assert crossval.main(["cracks", *where[:2], "--leave-out", "label"]) == 1
    assert "cracks has 2 labels; without one of them" in capsys.readouterr().err
