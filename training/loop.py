"""One training worker: what Ray Train runs in every process, alone or beside others.

Rank 0 validates and tells the others when to stop. Every epoch is a checkpoint, so a killed
worker or driver costs one epoch. What comes back are the weights that did best on validation,
not the last ones. The exam is not here: nothing in this file has ever seen it.
"""

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
from numpy.typing import NDArray
from ray.train.collective import broadcast_from_rank_zero
from torch.nn import functional

from data.dataset import Batches, Floats, Integers, Waveforms, one_hot, open_waveforms
from data.domain import Domain
from data.features import log_mel_for, windows
from models.cnn import Classifier
from models.tasks import confusion, macro_f1
from training.learner import Learner, State

NICE = 10
STATE_FILE = "state.pt"
VALIDATION_BATCH = 64
HEAVIEST = 10.0  # times a clip of a label of mean frequency


@dataclass(frozen=True)
class Assignment:
    """`waveforms` is a folder every worker can read; `labels` and `sources` [clips] are ids;
    `held_out` [clips] is True for validation; `on_epoch` gets each epoch's figures."""

    domain: Domain
    waveforms: Path
    labels: Integers
    sources: Integers
    held_out: NDArray[np.bool_]
    on_epoch: Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Trained:
    """`weights` are empty when training diverged before there was a best epoch."""

    weights: State
    history: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Held:
    """Validation clips as features [windows, mels, frames], of clip `owners` [windows] each."""

    features: torch.Tensor
    owners: Integers
    labels: Integers


def train_worker(config: dict[str, Assignment]) -> Trained:
    """Ray Train's entry point, called once in every worker."""
    assignment = config["assignment"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    _be_modest(world)
    waveforms = open_waveforms(assignment.waveforms)
    batches = _batches(assignment, waveforms)
    learner = _learner(assignment, len(batches), world)
    if checkpoint := ray.train.get_checkpoint():
        with checkpoint.as_directory() as folder:
            learner.restore(Path(folder) / STATE_FILE)
    held = _hold(assignment, waveforms) if rank == 0 else None
    spec = assignment.domain.training
    while len(learner.history) < spec.epochs and not _stalled(learner.history, spec.patience):
        started = time.monotonic()
        number = len(learner.history) + 1
        losses = [
            learner.learn(torch.from_numpy(features), torch.from_numpy(targets))
            for features, targets in batches.epoch(number, rank, world)
        ]
        figures = validate(learner.classifier, held, learner.device) if held else {}
        figures = broadcast_from_rank_zero(figures)
        if not np.isfinite(figures["validation_loss"]):
            break  # weights that are no numbers stay so; the best epoch until now counts
        figures |= {"epoch": number, "of": spec.epochs, "train_loss": float(np.mean(losses))}
        figures |= {"seconds": round(time.monotonic() - started, 2)}
        _finish_epoch(learner, figures, rank, assignment.on_epoch)
    return Trained(learner.best, tuple(learner.history))


def validate(network: Classifier, held: Held, device: torch.device) -> dict[str, Any]:
    with torch.inference_mode():
        parts = torch.split(held.features, VALIDATION_BATCH)
        window_logits = torch.cat([network(part.to(device)).cpu() for part in parts])
    clips = len(held.labels)
    logits = torch.zeros(clips, window_logits.shape[1])
    logits.index_add_(0, torch.from_numpy(held.owners), window_logits)
    logits /= torch.from_numpy(np.bincount(held.owners, minlength=clips))[:, None]
    loss = functional.cross_entropy(logits, torch.from_numpy(held.labels))
    counts = confusion(held.labels, logits.argmax(dim=1).numpy(), logits.shape[1])
    return {"validation_loss": float(loss), "validation_macro_f1": float(macro_f1(counts))}


def _finish_epoch(
    learner: Learner,
    figures: dict[str, Any],
    rank: int,
    on_epoch: Callable[[dict[str, Any]], None],
) -> None:
    learner.end_epoch(figures["validation_loss"])
    earlier = [epoch["validation_loss"] for epoch in learner.history]
    learner.history.append(figures)
    if figures["validation_loss"] < min(earlier, default=np.inf):
        learner.keep_as_best()
    if rank != 0:
        ray.train.report(figures)
        return
    on_epoch(figures)
    with tempfile.TemporaryDirectory() as folder:
        learner.save(Path(folder) / STATE_FILE)
        ray.train.report(figures, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _stalled(history: list[dict[str, Any]], patience: int) -> bool:
    losses = [epoch["validation_loss"] for epoch in history]
    return len(losses) - int(np.argmin(losses)) > patience if losses else False


def _be_modest(world: int) -> None:
    """Serving goes first: lowest priority but one, and a core left for it where there are two."""
    os.nice(max(0, NICE - os.nice(0)))
    torch.set_num_threads(max(1, ((os.cpu_count() or 1) - 1) // world))


def _batches(assignment: Assignment, waveforms: Waveforms) -> Batches:
    domain = assignment.domain
    targets = np.hstack(
        [
            one_hot(assignment.labels, len(domain.labels)),
            one_hot(assignment.sources, int(assignment.sources.max()) + 1),
        ]
    )
    members = np.flatnonzero(~assignment.held_out)
    return Batches(domain, waveforms, targets, members, domain.training.batch_size)


def _learner(assignment: Assignment, steps: int, world: int) -> Learner:
    domain = assignment.domain
    learner = Learner(
        domain,
        int(assignment.sources.max()) + 1,
        torch.from_numpy(_class_weights(assignment)),
        steps,
        ray.train.torch.get_device(),
    )
    if world > 1:
        learner.network = ray.train.torch.prepare_model(learner.plain)
    return learner


def _class_weights(assignment: Assignment) -> Floats:
    labels = assignment.labels[~assignment.held_out]
    return class_weights(labels, len(assignment.domain.labels))


def class_weights(labels: Integers, classes: int) -> Floats:
    """[classes]: rare labels weigh more, so that each has the same say, up to HEAVIEST: a single
    clip must not pull like a hundred. A label without clips weighs nothing."""
    counts = np.bincount(labels, minlength=classes)
    equal = len(labels) / (max(1, np.count_nonzero(counts)) * np.maximum(counts, 1))
    return np.where(counts > 0, np.minimum(equal, HEAVIEST), 0).astype(np.float32)


def _hold(assignment: Assignment, waveforms: Waveforms) -> Held:
    log_mel = log_mel_for(assignment.domain)
    members = np.flatnonzero(assignment.held_out)
    parts = [
        log_mel(windows(waveforms[clip], assignment.domain.input)) for clip in members.tolist()
    ]
    owners = np.repeat(np.arange(len(members)), [len(part) for part in parts])
    return Held(torch.from_numpy(np.concatenate(parts)), owners, assignment.labels[members])
