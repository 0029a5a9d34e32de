"""One training worker: what Ray Train runs in every process, alone or beside others.

Rank 0 validates and tells the others when to stop. Every epoch is a checkpoint, so a killed
worker or driver costs one epoch. What comes back are the weights that did best on validation,
not the last ones. The exam is not here: nothing in this file has ever seen it.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
from ray.train.collective import broadcast_from_rank_zero

from training.fitting.assignment import Assignment, LearningNetwork, LearningTask
from training.fitting.classify import Classify
from training.fitting.learner import Learner, State
from training.fitting.priority import lower_priority
from training.fitting.segment import Segment
from training.fitting.shared_clips import at_hand

STATE_FILE = "state.pt"


@dataclass(frozen=True)
class Trained:
    """`weights` are empty when training diverged before there was a best epoch."""

    weights: State
    history: tuple[dict[str, Any], ...]


def train_worker(config: dict[str, Assignment]) -> Trained:
    """Ray Train's entry point, called once in every worker."""
    assignment = config["assignment"]
    with at_hand(assignment.decoded, assignment.shared_by) as decoded:
        return _train(replace(assignment, decoded=decoded))


def _train(assignment: Assignment) -> Trained:
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    _be_modest(world)
    task = LEARNING_TASKS[assignment.domain.task](assignment)
    batches = task.batches()
    torch.manual_seed(assignment.domain.training.seed)
    learner = _learner(assignment, task.network(), len(batches), world)
    _restore(learner, assignment.kept)
    held = task.held() if rank == 0 else None
    spec = assignment.domain.training
    while len(learner.history) < spec.epochs and not _stalled(learner.history, spec.patience):
        started = time.monotonic()
        number = len(learner.history) + 1
        steps = [
            learner.learn(torch.from_numpy(features), torch.from_numpy(targets))
            for features, targets in batches.epoch(number, rank, world)
        ]
        figures: dict[str, Any] = (
            dict(held.validate(learner.classifier, learner.device)) if held else {}
        )
        figures = broadcast_from_rank_zero(figures)
        if not np.isfinite(figures["validation_loss"]):
            break  # weights that are no numbers stay so; the best epoch until now counts
        loss, accuracy = np.mean(steps, axis=0).tolist()
        figures |= {"epoch": number, "of": spec.epochs, "train_loss": loss}
        figures |= {"train_accuracy": accuracy, "seconds": round(time.monotonic() - started, 2)}
        _finish_epoch(learner, figures, rank, assignment)
    return Trained(learner.weights, tuple(learner.history))


def _restore(learner: Learner, kept: Path | None) -> None:
    if kept and (kept / STATE_FILE).is_file():
        learner.restore(kept / STATE_FILE)
    elif checkpoint := ray.train.get_checkpoint():
        with checkpoint.as_directory() as folder:
            learner.restore(Path(folder) / STATE_FILE)


def _finish_epoch(
    learner: Learner, figures: dict[str, Any], rank: int, assignment: Assignment
) -> None:
    learner.end_epoch(figures["validation_loss"])
    earlier = [epoch["validation_loss"] for epoch in learner.history]
    learner.history.append(figures)
    if figures["validation_loss"] < min(earlier, default=np.inf):
        learner.keep_as_best()
    if rank != 0:
        ray.train.report(figures)
        return
    assignment.on_epoch(figures)
    if assignment.kept:
        learner.save(assignment.kept / STATE_FILE)
        return
    with tempfile.TemporaryDirectory() as folder:
        learner.save(Path(folder) / STATE_FILE)
        ray.train.report(figures, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _stalled(history: list[dict[str, Any]], patience: int) -> bool:
    losses = [epoch["validation_loss"] for epoch in history]
    return len(losses) - int(np.argmin(losses)) > patience if losses else False


def _be_modest(world: int) -> None:
    """Serving goes first: lowest priority but one, and a core left for it where there are two."""
    lower_priority()
    torch.set_num_threads(max(1, ((os.cpu_count() or 1) - 1) // world))


def _learner(assignment: Assignment, network: LearningNetwork, steps: int, world: int) -> Learner:
    spec = assignment.domain.training
    learner = Learner(network, spec, steps, ray.train.torch.get_device())
    if world > 1:
        learner.network = ray.train.torch.prepare_model(learner.plain)
    return learner


LEARNING_TASKS: dict[str, Callable[[Assignment], LearningTask]] = {
    "classify": Classify,
    "segment": Segment,
}
