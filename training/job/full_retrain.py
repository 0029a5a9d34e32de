"""The whole network, from scratch, on the data set and on what people uploaded."""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.arrays import Integers
from data.datasets.dataset import LabelledClip, Reader, decode_all
from data.datasets.photographs import decode_photographs
from data.datasets.sources import fine_label
from models.bundle import Bundle, load_bundle
from models.networks.kinds import build_network, start
from models.registry.current_model import shipped
from training.fitting.assignment import Assignment
from training.fitting.shared_clips import share
from training.fitting.trainer import fit
from training.fitting.worker_loop import Trained
from training.job.build_bundle import build_bundle
from training.job.lifecycle import folder_name
from training.job.plan import Plan, plan_full
from training.job.provenance import Origin, started_from
from training.job.run import Challenger, Material, RetrainRun, Training
from training.job.run_progress import EpochReporter, epochs_on_terminal


def make_full(run: RetrainRun, material: Material, folder: Path) -> Challenger:
    plan = plan_full(run.domain, run.dataset, material.uploads)
    champion = [material.champion.bundle] if material.champion else []
    first = shipped(run.domain, run.shipped)
    before = [*champion, *([load_bundle(first)] if first else [])]
    return make_from(run, plan, folder, material.snapshot, material.parent, before)


def make_from(
    run: Training,
    plan: Plan,
    folder: Path,
    snapshot: str = "",
    parent: str | None = None,
    before: Sequence[Bundle] = (),
) -> Challenger:
    """`before` are bundles that may carry what folds said: see `inherited`."""
    since, backbone = time.monotonic(), started_from(run.domain)
    trained = train(run, plan)
    run.progress.step("pack", "Exporting, remembering, calibrating, examining", 0.85)
    origin = Origin(
        mode="full",
        snapshot=snapshot,
        parent=parent,
        seconds=time.monotonic() - since,
        epochs=len(trained.history),
        workers=max(1, run.workers),
        from_dataset=sum(clip.path is not None for clip in plan.clips),
        backbone=backbone,
    )
    bundle = build_bundle(run.domain, plan, trained.weights, run.read, origin, folder, before)
    return Challenger(bundle, trained.history)


def train(run: Training, plan: Plan) -> Trained:
    """Decoded clips and checkpoints stay until the run has ended: see `lifecycle.py`."""
    domain, progress = run.domain, run.progress
    learnt = [domain.recipe_digest, *(clip.sha256 + clip.label for clip in plan.clips)]
    name = folder_name(progress.run_id, hashlib.sha256("".join(learnt).encode()).hexdigest())
    start(build_network(domain), domain)  # if it cannot, that is said before the work is done
    decoded = run.home.runs / f"{name}.clips"
    progress.step("decode", f"Decoding {len(plan.clips)} clips", 0.1)
    DECODE[domain.modality](plan.clips, run.read, domain, decoded)
    sources = ids(fine_label(clip.source, clip.label) for clip in plan.clips)
    groups = ids(clip.group for clip in plan.clips)
    assignment = Assignment(
        domain=domain,
        decoded=decoded.resolve(),
        labels=np.array([domain.label_index(clip.label) for clip in plan.clips], np.int64),
        sources=sources,
        groups=groups,
        held_out=plan.held_out,
        on_epoch=EpochReporter(
            run.home.database_url, run.home.storage_uri, progress.run_id, domain.name, progress.who
        ),
        shared_by=share(decoded, run.home) if run.workers else "",
    )
    place = f"{run.workers} worker(s)" if run.workers else "this process"
    progress.step("train", f"Training on {np.sum(~plan.held_out)} clips in {place}", 0.15)
    with epochs_on_terminal(progress):
        return fit(assignment, name, run.home, run.workers)


def ids(names: Iterable[str]) -> Integers:
    """Of names [N], numbered in alphabetical order."""
    return np.unique(list(names), return_inverse=True)[1].astype(np.int64)


# Each is given the domains of its own modality only, which their type cannot say.
DECODE: dict[str, Callable[[Sequence[LabelledClip], Reader, Any, Path], object]] = {
    "audio": decode_all,
    "image": decode_photographs,
}
