"""A bundle's calibration, fitted anew from what it carries: for cards made before it was there.

    telltale recalibrate faults [--bundle FOLDER]

Nothing is learnt: network, head and memory stay. The data set says which of the remembered clips
were validation, and which clips belong together; both follow from the card's domain. The bundle
gets a new digest, for its card is new.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.datasets.sources import dataset_root
from data.errors import Conflict
from models.bundle import Bundle, write_bundle
from models.card import EXAM
from models.tensors import exam_bytes
from training.assess.calibrate import calibrate
from training.assess.examine import exam_metrics
from training.assess.memory_rows import numbered
from training.job.options import rebuild_command
from training.job.plan import Plan, plan_full
from training.screening.uploads import NO_UPLOADS


def recalibrate(bundle: Bundle, dataset: Path | None) -> Bundle:
    """Replaces the folder's card and exam; raises Conflict if the data set is not the one the
    bundle was trained on."""
    domain, head, memory = bundle.domain, bundle.head(), bundle.memory()
    plan = plan_full(domain, dataset, NO_UPLOADS)
    exam, probe = bundle.exam_and_probe()
    _must_be_the_same(bundle, plan, memory.clip_ids, exam.clip_ids)
    held = dict(zip((clip.sha256 for clip in plan.clips), plan.held_out, strict=True))
    groups = {clip.sha256: clip.group for clip in plan.clips}
    fields = calibrate(
        domain,
        head,
        memory,
        np.array([held[clip] for clip in memory.clip_ids]),
        [groups[clip] for clip in memory.clip_ids],
    )
    card = bundle.card
    figures = exam_metrics(domain, head, fields["temperature"], exam)
    files = {name: bundle.read(name) for name in card.files}
    files[EXAM] = exam_bytes(replace(exam, groups=numbered(plan.exam)), probe)
    return write_bundle(
        bundle.path,
        card_fields={
            **card.model_dump(exclude={"files"}),
            **fields,
            "metrics": {"exam": figures, "masks": card.metrics.masks},
        },
        files=files,
    )


def _must_be_the_same(
    bundle: Bundle, plan: Plan, memory: Sequence[str], exam: Sequence[str]
) -> None:
    learnt, asked = ([clip.sha256 for clip in clips] for clips in (plan.clips, plan.exam))
    same = sorted(learnt) == sorted(memory) and asked == list(exam)
    if not same or int(plan.held_out.sum()) != bundle.card.split.validation:
        raise Conflict(
            f"this {bundle.domain.name} bundle remembers {len(memory)} clips, which are not the "
            f"{len(learnt)} of the data set or were split otherwise; only a bundle trained on the "
            "data set alone, as it is now, can be calibrated anew (a full retrain makes one)"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    return rebuild_command(
        lambda bundle: recalibrate(bundle, dataset_root()),
        "recalibrate",
        __doc__,
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
