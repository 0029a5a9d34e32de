"""MLflow's record of a run: parameters, curves, exam figures, pictures.

One MLflow run for one run of ours, found again by its tag when a killed run is started anew.
MLflow itself is imported late: only a `Registry` knows how to quieten it first.
"""

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import TelltaleError
from models.bundle import Bundle
from models.registry import card_record
from models.registry.mlflow_store import mlflow_errors
from models.registry.registry import Registry, Version, model_name
from training.assess.examine import exam_loss
from training.assess.gate import Verdict
from training.job.run import Challenger, History

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric
    from mlflow.entities import Run as MlflowRun
    from ray.air.integrations.mlflow import MLflowLoggerCallback

log = logging.getLogger(__name__)

RUN_TAG = "telltale.run"
GIT_TAG = "mlflow.source.git.commit"
USER_TAG = "mlflow.user"
PARENT_TAG = "mlflow.parentRunId"
CURVES = (
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "validation_macro_f1",
    "validation_dice",
    "validation_iou",
)
LONGEST_DIGEST = 36  # that MLflow takes of a data set
MACHINE_EVERY_S = 10.0
BATCH = 900  # MLflow takes 1,000 metrics at once


@contextmanager
def tracked(
    registry: Registry, domain: str, run_id: str, mode: str, who: str
) -> Iterator["Tracker"]:
    """Opens the MLflow run of `who` and closes it as finished or failed."""
    tags = {RUN_TAG: run_id, "mode": mode, USER_TAG: who}
    run = _find(registry, domain, run_id) or _create(registry, domain, f"{mode} {run_id}", tags)
    machine = _machine_watched(registry, run) if mode == "full" else nullcontext()
    with _ended(registry, run), machine:
        yield Tracker(registry, run.info.run_id, run_id)


@contextmanager
def _machine_watched(registry: Registry, run: "MlflowRun") -> Iterator[None]:
    """CPU, memory, disk and network of the machine that the run was ordered on, as MLflow has them.
    Where MLflow is away it warns, and the training goes on."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    every = {"sampling_interval": MACHINE_EVERY_S, "resume_logging": True}
    monitor = SystemMetricsMonitor(run.info.run_id, tracking_uri=registry.tracking_uri, **every)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()


@contextmanager
def tracked_search(registry: Registry, domain: str) -> Iterator["MLflowLoggerCallback"]:
    """What tells MLflow of each trial of Ray Tune, in runs below one for the search."""
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    run = _create(registry, domain, "search", {"mode": "search"})
    with _ended(registry, run), _environment_kept():
        yield MLflowLoggerCallback(
            registry.tracking_uri,
            experiment_name=model_name(domain),
            tags={PARENT_TAG: run.info.run_id},
        )


@contextmanager
def _environment_kept() -> Iterator[None]:
    """MLflow leaves its address there, where a home with other settings would find it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _ended(registry: Registry, run: "MlflowRun") -> Iterator[None]:
    state = "FAILED"
    try:
        yield
        state = "FINISHED"
    finally:
        try:
            with mlflow_errors():
                registry.client.set_terminated(run.info.run_id, state)
        except TelltaleError as error:
            # The run's own end counts; an error here must not take its place.
            log.warning("MLflow was not told that %s is %s: %s", run.info.run_name, state, error)


@dataclass(frozen=True)
class Tracker:
    registry: Registry
    mlflow_run: str
    run_id: str

    def record(self, challenger: Challenger) -> None:
        """Figures, parameters and pictures."""
        from mlflow.entities import Param

        bundle, history = challenger.bundle, challenger.history
        client = self.registry.client
        metrics = _metrics(bundle, history)
        with mlflow_errors():
            for start in range(0, len(metrics), BATCH):
                client.log_batch(self.mlflow_run, metrics=metrics[start : start + BATCH])
            # MLflow forbids to change a parameter; a run started again has written some already.
            written = client.get_run(self.mlflow_run).data.params
            given = card_record.parameters(bundle)
            new = [Param(name, value) for name, value in given.items() if name not in written]
            client.log_batch(self.mlflow_run, params=new)
            client.set_tag(self.mlflow_run, GIT_TAG, bundle.card.code_version)
            if bundle.card.snapshot:
                client.log_inputs(self.mlflow_run, [_snapshot(bundle)])
        if history:
            self._draw(bundle, history)

    def register(self, bundle: Bundle, verdict: Verdict) -> Version:
        """The bundle into the registry with its verdict; once more only changes the verdict."""
        tags = {
            "verdict": "promoted" if verdict.promoted else "refused",
            "reasons": json.dumps(verdict.reasons),
            RUN_TAG: self.run_id,
        }
        return self.registry.register(bundle, run_id=self.mlflow_run, tags=tags)

    def _draw(self, bundle: Bundle, history: History) -> None:
        from training.assess.card.model_plots import draw_confusion, draw_curves

        with tempfile.TemporaryDirectory() as folder:
            draw_confusion(bundle, Path(folder) / "confusion.png")
            draw_curves(history, Path(folder) / "curves.png")
            with mlflow_errors():
                self.registry.client.log_artifacts(self.mlflow_run, folder, "pictures")


def _find(registry: Registry, domain: str, run_id: str) -> "MlflowRun | None":
    """A run that was killed and started anew goes on in the MLflow run it had."""
    wanted = f"tags.`{RUN_TAG}` = '{run_id}'"
    experiment = registry.experiment(domain)
    with mlflow_errors():
        found = registry.client.search_runs([experiment], wanted, max_results=1)
    return found[0] if found else None


def _create(registry: Registry, domain: str, name: str, tags: dict[str, str]) -> "MlflowRun":
    experiment = registry.experiment(domain)
    with mlflow_errors():
        return registry.client.create_run(experiment, run_name=name, tags=tags)


def _metrics(bundle: Bundle, history: History) -> "list[Metric]":
    from mlflow.entities import Metric

    now_ms = int(time.time() * 1000)
    figures = {"exam_loss": exam_loss(bundle), **card_record.figures(bundle)}
    # A run that goes on from an older release's checkpoint has some epochs with fewer figures.
    named = [(name, epoch) for epoch in history for name in CURVES if name in epoch]
    curves = [(name, epoch[name], epoch["epoch"]) for name, epoch in named]
    return [
        *(Metric(name, value, now_ms, 0) for name, value in figures.items()),
        *(Metric(name, value, now_ms, epoch) for name, value, epoch in curves),
    ]


def _snapshot(bundle: Bundle) -> "DatasetInput":
    """What people sent, by the digest of the list."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    card = bundle.card
    source = json.dumps({"snapshot": card.snapshot, "dataset": card.domain.source.dataset})
    name = f"telltale.{card.domain.name}"
    found = Dataset(name, card.snapshot[:LONGEST_DIGEST], "telltale", source)
    return DatasetInput(found, [InputTag("mlflow.data.context", "training")])
