"""search.py: settings tried on folds of train rows by Ray Tune, each trial in MLflow."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.domains.domain import Domain, load_domains
from data.errors import InvalidDomain, InvalidParameter
from data.home import home_from_env
from models.registry.registry import Registry
from support.inputs.toy_dataset import toy_dataset, toy_domain
from training import search
from training.assess.crossval_figures import FoldPrediction
from training.assess.folds import Fold


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    found = toy_domain(load_domains(names=("faults",))["faults"], epochs=1)
    configs = tmp_path / "configs"
    configs.mkdir()
    raw = found.model_dump(mode="json", exclude={"name"})
    (configs / "faults.yaml").write_text(yaml.safe_dump(raw))
    root = toy_dataset(tmp_path / "datasets", found)
    for name, value in {"CONFIGS": configs, "DATASETS": root, "HOME": tmp_path / "home"}.items():
        monkeypatch.setenv(f"TELLTALE_{name}", str(value))
    return found


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.learning_rate=0.001..0.01", (0.001, 0.01)),
        ("training.augment.mixup_alpha=0,0.2", (0, 0.2)),
        ("network.channels=[8,16],[16,32]", ([8, 16], [16, 32])),
    ],
)
def test_a_space_is_a_range_or_a_choice(text: str, values: tuple[Any, ...]) -> None:
    space = search.space_from(text)
    assert (space.choices or (space.low, space.high)) == values


@pytest.mark.parametrize("text", ["training.learning_rate", "=1,2", "a=2..1", "a=0..1", "a="])
def test_what_is_no_space_is_refused_by_the_command_line(
    domain: Domain, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        search.main(["faults", "--over", text])
    assert "low..high" in capsys.readouterr().err


def test_a_setting_that_there_is_not_or_cannot_be_is_refused_before_anything_is_tried(
    domain: Domain,
) -> None:
    with pytest.raises(InvalidParameter, match=r"training\.lerning_rate"):
        search.changed(domain, {"training.lerning_rate": 0.1})
    with pytest.raises(InvalidDomain, match="dropout"):
        search.changed(domain, {"network.dropout": 7})


@pytest.mark.deploy
def test_trials_are_told_compared_and_kept_in_mlflow(
    domain: Domain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def better_the_faster_it_learns(fold: Fold, work: Path, workers: int) -> list[FoldPrediction]:
        right = fold.domain.training.learning_rate > 1
        wrong = fold.domain.labels[0]
        return [
            FoldPrediction(
                row.path.name, row.group, row.label, row.label if right else wrong, 0.9, False
            )
            for row in fold.exam
        ]

    order = ["faults", "--over", "training.learning_rate=2,3", "--trials", "3", "--parts", "2"]
    assert search.main([*order, "--work", str(tmp_path)], better_the_faster_it_learns) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("folds"))) + 1 :]
    assert [line.split()[1] for line in table[:2]] == ["1.000", "1.000"]
    assert f"training.learning_rate {domain.training.learning_rate:.3g}" in table[2]  # as it stands
    assert "MLFLOW_TRACKING_URI" not in os.environ
    home = home_from_env()
    registry = Registry(home.tracking_uri, home.artifact_root)
    runs = registry.client.search_runs([registry.experiment("faults")])
    (parent,) = [run for run in runs if run.info.run_name == "search"]
    below = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(below) == 3
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert max(run.data.metrics["macro_f1"] for run in below) == 1
    assert all("training.learning_rate" in run.data.params for run in below)
