"""full_retrain.py: a training that cannot start, or is broken off, costs little and says why."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.datasets.dataset import from_example
from data.datasets.sources import examples
from data.datasets.split import held_out
from data.domains.domain import AudioDomain, load_domains
from data.errors import DownloadError, InvalidDomain
from data.home import home_from_env
from models.networks import backbone
from models.networks.backbone import write_backbone
from models.networks.kinds import build_network
from support.inputs.toy_dataset import toy_dataset, toy_domain
from training.fitting.assignment import Assignment
from training.fitting.trainer import fit
from training.job.full_retrain import train
from training.job.isolated import isolated_run
from training.job.lifecycle import discard
from training.job.plan import Plan
from training.job.run_progress import EpochReporter


@pytest.fixture
def domain() -> AudioDomain:
    return toy_domain(load_domains(names=("faults",))["faults"], epochs=4)


@pytest.fixture
def plan(domain: AudioDomain, tmp_path: Path) -> Plan:
    rows = examples(domain, toy_dataset(tmp_path / "datasets", domain))
    clips = tuple(from_example(row) for row in rows if row.split == "train")
    return Plan(clips, held_out(clips, domain.training), (), ())


def test_a_backbone_that_does_not_fit_is_said_before_a_clip_is_decoded(
    domain: AudioDomain, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backbone, "BACKBONES", tmp_path / "backbones")
    write_backbone(
        tmp_path / "backbones" / "sounds", domain, build_network(domain).state_dict(), {}
    )
    training = domain.training.model_copy(update={"start_from": "sounds"})
    features = domain.features.model_copy(update={"hop_length": 160})
    other = domain.model_copy(update={"training": training, "features": features})
    run = isolated_run(other, "misfit", tmp_path / "work", workers=1)
    with pytest.raises(InvalidDomain, match="cannot start from backbone sounds"):
        train(run, plan)
    assert not list(run.home.runs.glob("*"))


def test_a_training_in_this_process_goes_on_after_the_last_whole_epoch(
    domain: AudioDomain, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    breaks_at = [3]

    def on_epoch(_: EpochReporter, figures: dict[str, Any]) -> None:
        told.append(figures["epoch"])
        if figures["epoch"] in breaks_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochReporter, "__call__", on_epoch)
    run = isolated_run(domain, "toy", tmp_path / "work", workers=0)
    with pytest.raises(KeyboardInterrupt):
        train(run, plan)
    breaks_at.clear()
    trained = train(run, plan)
    assert told == [1, 2, 3, 3, 4], "the third epoch was not whole"
    assert [epoch["epoch"] for epoch in trained.history] == [1, 2, 3, 4]
    other = domain.training.model_copy(update={"epochs": 1})
    again = isolated_run(
        domain.model_copy(update={"training": other}), "toy", tmp_path / "work", workers=0
    )
    assert len(train(again, plan).history) == 1, "another recipe is another training"
    discard(run.home, "toy")
    assert not list(run.home.runs.glob("*"))


def test_what_a_worker_says_in_words_reaches_people(
    domain: AudioDomain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.train import WorkerGroupError

    class Failing:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def fit(self) -> None:
            raise WorkerGroupError("a traceback", {0: DownloadError("the weights are away")})

    monkeypatch.setattr("ray.train.torch.TorchTrainer", Failing)
    ids = np.zeros(1, np.int64)
    none: Any = None
    assignment = Assignment(domain, tmp_path, ids, ids, ids, ids > 0, none)
    with pytest.raises(DownloadError, match="the weights are away"):
        fit(assignment, "away", home_from_env({"TELLTALE_HOME": str(tmp_path)}), workers=0)
