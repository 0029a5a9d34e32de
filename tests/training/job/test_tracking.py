"""tracking.py: MLflow keeps the record, and its troubles stay its own."""

import time
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from data.errors import NotReady
from models.registry.registry import Registry
from support.tiny import fresh_registry, tiny_bundle
from support.waiting import wait_for
from training.job import tracking
from training.job.run import Challenger
from training.job.tracking import tracked


def away(*_: object, **__: object) -> Any:
    raise MlflowException("http://mlflow.example:5000 refused the connection")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return fresh_registry(tmp_path)


def test_an_mlflow_that_is_away_is_said_without_its_address(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.client, "create_run", away)
    with (
        pytest.raises(NotReady, match="does not answer") as told,
        tracked(registry, "faults", "r", "full", "ann"),
    ):
        pass
    assert "example" not in str(told.value)


def test_closing_the_record_never_hides_why_a_run_failed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.client, "set_terminated", away)
    with pytest.raises(ZeroDivisionError), tracked(registry, "faults", "r", "full", "ann"):
        raise ZeroDivisionError


@pytest.mark.parametrize(("fails", "state"), [(False, "FINISHED"), (True, "FAILED")])
def test_a_record_says_how_the_run_ended(registry: Registry, fails: bool, state: str) -> None:
    try:
        with tracked(registry, "faults", "r", "full", "ann") as tracker:
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert registry.client.get_run(tracker.mlflow_run).info.status == state


def test_a_full_run_has_the_machines_own_figures(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "MACHINE_EVERY_S", 0.05)

    def watched(run: str) -> bool:
        metrics = registry.client.get_run(run).data.metrics
        return {
            "system/cpu_utilization_percentage",
            "system/system_memory_usage_percentage",
        } <= set(metrics)

    with tracked(registry, "faults", "long", "full", "ann") as tracker:
        wait_for(lambda: watched(tracker.mlflow_run))
    with tracked(registry, "faults", "short", "teach", "ann") as tracker:
        time.sleep(0.2)
    assert not watched(tracker.mlflow_run)


def test_a_record_has_losses_accuracies_the_snapshot_and_the_commit(
    registry: Registry, tmp_path: Path
) -> None:
    bundle = tiny_bundle(tmp_path / "bundle")
    with tracked(registry, "keywords", "r1", "teach", "ann") as tracker:
        tracker.record(Challenger(bundle, ()))
    run = registry.client.get_run(tracker.mlflow_run)
    assert {"exam_loss", "exam_accuracy", "exam_macro_f1"} <= set(run.data.metrics)
    assert run.data.tags["mlflow.source.git.commit"] == bundle.card.code_version
    assert run.data.tags["mlflow.user"] == "ann"
    (read,) = run.inputs.dataset_inputs
    assert bundle.card.snapshot.startswith(read.dataset.digest)
