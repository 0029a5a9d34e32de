"""The driver's side of training: hands the assignment to Ray Train and waits for the weights.

With `workers` 0 the loop runs in this very process, without Ray, and keeps its own checkpoint:
right for a small machine and for tests. Otherwise Ray Train starts that many processes and restarts
them when one dies; with the domain's `training.min_workers` it starts as many as there is room for,
and looks each minute whether that has changed. Either way a driver started again with the same
`name` goes on from the last checkpoint. Where a cluster has the resource `train`, or an autoscaler
brings machines that have it (TELLTALE_AUTOSCALER, which nothing in Ray tells of), workers take one
each, so that serving and training never wait for the same.
"""

import logging
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data.domains.sections import TrainingSpec
from data.errors import InvalidParameter, TelltaleError
from data.home import Home
from training.fitting.assignment import Assignment
from training.fitting.priority import at_low_priority
from training.fitting.worker_loop import Trained, train_worker

if TYPE_CHECKING:
    from ray.train import ScalingConfig

MAX_FAILURES = 3
# The controller takes one report a poll: at its own 2 s, a worker that died soon after an epoch
# would lose that epoch's checkpoint.
POLL_S = "0.3"
# Bookkeeping only; priority and thread caps keep the peace. Ray divides what is free by it, which
# of 0.1 would lose a worker: 0.3 // 0.1 is 2.
WORKER_CPUS = 0.125


def fit(assignment: Assignment, name: str, home: Home, workers: int) -> Trained:
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", POLL_S)
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, WorkerGroupError
    from ray.train.torch import TorchTrainer

    # Its lines are for its developers; people read ours.
    logging.getLogger("ray.train").setLevel(logging.WARNING)
    held: Mapping[str, float] = {}
    if workers > 0:
        held = connect()
    else:
        assignment = replace(assignment, kept=home.runs / name)
        (home.runs / name).mkdir(parents=True, exist_ok=True)
    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"assignment": assignment},
        scaling_config=scaling(workers, assignment.domain.training, held, is_autoscaled()),
        run_config=RunConfig(
            name=name,
            storage_path=home.checkpoints if workers else str(home.runs),
            failure_config=FailureConfig(max_failures=MAX_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=2),
        ),
    )
    try:
        result = trainer.fit()
    except WorkerGroupError as error:
        _raise_in_words(error.worker_failures.values())
        raise
    trained: Trained = result.return_value
    if not trained.weights:
        rate = assignment.domain.training.learning_rate
        raise InvalidParameter(
            f"training diverged at training.learning_rate {rate:g}; lower it in the domain's file"
        )
    return trained


def _raise_in_words(failures: Iterable[Exception]) -> None:
    """What a worker could say to people, Ray wraps into what it says to developers."""
    for failure in failures:
        if isinstance(failure, TelltaleError):
            raise failure


def connect() -> dict[str, float]:
    """To the cluster of RAY_ADDRESS, as in a Ray job, else to one of our own: what it has."""
    import ray

    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS") or "local"
        own: dict[str, Any] = {"include_dashboard": False}
        if address != "local":
            own = {"runtime_env": _low_priority()}
        stop = signal.getsignal(signal.SIGTERM)
        ray.init(address=address, log_to_driver=False, **own)
        # Ray's own handler ends the process at once: nobody would learn that the run was stopped.
        signal.signal(signal.SIGTERM, stop)
    held: dict[str, float] = ray.cluster_resources()
    return held


def is_autoscaled() -> bool:
    return os.environ.get("TELLTALE_AUTOSCALER") == "1"


def _low_priority() -> dict[str, Any]:
    """Of all processes of a run beside a service, from their first import on: Ray Train has half a
    dozen, which begin at once. Python is where the PATH of the cluster's nodes says."""
    return {"py_executable": at_low_priority("python")}


def scaling(
    workers: int, spec: TrainingSpec, held: Mapping[str, float], autoscaled: bool
) -> "ScalingConfig":
    """With `gpus` a worker each has so many, and waits for them, so that an autoscaler may bring
    them; else one where the cluster has enough. Of `train` one each where there are enough, or an
    autoscaler brings them: for the parts of a CPU alone it would bring no machine."""
    from ray.train import ScalingConfig

    if workers == 0:
        return ScalingConfig(num_workers=0)
    least = min(spec.min_workers or workers, workers)
    gpus = spec.gpus or int(held.get("GPU", 0) >= least)
    wanted: dict[str, float] = {"CPU": WORKER_CPUS} | ({"GPU": gpus} if gpus else {})
    if autoscaled or held.get("train", 0) >= least:
        wanted["train"] = 1
    number = workers if least == workers else (least, workers)
    return ScalingConfig(num_workers=number, use_gpu=bool(gpus), resources_per_worker=wanted)
