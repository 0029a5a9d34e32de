"""training/crossval.py: what a comparison trains on, and what it says of it; nothing is trained."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from toy_dataset import toy_dataset, toy_domain

from data.domain import AudioDomain, Domain, load_domains
from training import crossval
from training.folds import Fold
from training.protocols import Answer

Told = Callable[..., list[dict[str, Any]]]
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
    raw["training"]["start_from"] = "nowhere"
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

    def answers_of(fold: Fold, work: Path, workers: int) -> list[Answer]:
        folds.append(fold)
        known = fold.domain.labels
        return [
            Answer(
                row.path.name,
                row.group,
                row.label,
                known[0] if row.columns["speaker"] == "s0" or row.label not in known else row.label,
                0.9,
                row.label not in known,
            )
            for row in [*fold.exam, *fold.strangers]
        ]

    monkeypatch.setattr(crossval, "answers_of", answers_of)
    return folds


def test_every_fold_learns_from_scratch(
    asked: list[Fold], capsys: pytest.CaptureFixture[str]
) -> None:
    assert crossval.main(["faults", "--folds", "group"]) == 0
    assert len(asked) == 5
    for fold in asked:
        assert isinstance(fold.domain, AudioDomain)
        assert fold.domain.training.start_from is None
    assert "from scratch" in capsys.readouterr().out
