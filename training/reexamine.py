"""A bundle's exam and memory without the rows that its domain file leaves out since it was trained.

    telltale reexamine cracks [--bundle FOLDER]

Nothing is learnt: network, head and calibration stay. What is left out is asked and remembered no
longer, and the figures are those of the exam that remains; that the network itself has learnt some
of it stands in the card (`training.left_out_since`). The data set must hold the clips. The bundle
gets a new digest.
"""

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.arrays import Bools
from data.datasets.dataset import LabelledClip, from_example, read_file
from data.datasets.sources import listed
from data.domains.domain import Domain, load_domains
from data.errors import Conflict
from data.quality.copy_pairs import Fingerprints
from models.bundle import Bundle, rewrite_bundle
from models.card import EXAM, FINGERPRINTS, MEMORY
from models.masks import ROWS
from models.runtime import OnnxModel
from models.tensors import Embeddings, exam_bytes, fingerprint_bytes, memory_bytes
from training.assess.calibration.thresholds import mask_figures
from training.assess.examine import exam_metrics
from training.job.isolated import needed_dataset_root
from training.job.options import rebuild_command
from training.screening.exam_guard import clips_of_exam


def reexamine(bundle: Bundle, dataset: Path, now: Domain) -> Bundle:
    """Replaces the folder's exam, memory and card by what `now`, its domain's file, leaves of them;
    raises Conflict where that is all, or where the data set lacks a clip of the exam."""
    source = bundle.domain.source.model_copy(update={"left_out": now.source.left_out})
    domain = bundle.domain.model_copy(update={"source": source})
    exam, probe = bundle.exam_and_probe()
    memory, out = bundle.memory(), _left_out(domain, dataset)
    asked, learnt = (np.array([c not in out for c in kept.clip_ids]) for kept in (exam, memory))
    _must_have_some(bundle, learnt, asked)
    exam, memory = (_those(kept, at, domain) for kept, at in ((exam, asked), (memory, learnt)))
    files = {EXAM: exam_bytes(exam, probe), MEMORY: memory_bytes(memory)}
    if prints := bundle.exam_fingerprints():
        files[FINGERPRINTS] = fingerprint_bytes(_remaining(prints, asked))
    fields = _fields(
        bundle, domain, exam, clips_of_exam(exam.clip_ids, listed(domain, dataset), domain)
    )
    facts = bundle.card.training.model_dump()
    fields["training"] = facts | _noted(facts, learnt, asked)
    return rewrite_bundle(bundle, bundle.path, fields=fields, files=files)


def _left_out(domain: Domain, dataset: Path) -> Collection[str]:
    """The digests of what the domain leaves out of its data set."""
    whole = domain.model_copy(update={"source": domain.source.model_copy(update={"left_out": ()})})
    left = {clip.sha256 for clip in map(from_example, listed(domain, dataset))}
    return {clip.sha256 for clip in map(from_example, listed(whole, dataset))} - left


def _must_have_some(bundle: Bundle, learnt: Bools, asked: Bools) -> None:
    if learnt.all() and asked.all():
        raise Conflict(
            f"this {bundle.domain.name} bundle neither remembers nor asks about anything that its "
            "domain file leaves out (source.left_out)"
        )


def _those(kept: Embeddings, at: Bools, domain: Domain) -> Embeddings:
    rows = np.repeat(at, ROWS[domain.task])
    ids = tuple(sha256 for sha256, stays in zip(kept.clip_ids, at, strict=True) if stays)
    groups = None if kept.groups is None else np.unique(kept.groups[at], return_inverse=True)[1]
    return Embeddings(kept.values[rows], kept.labels[rows], ids, groups)


def _remaining(prints: Fingerprints, at: Bools) -> Fingerprints:
    kept = (value for value, stays in zip(prints.values, at, strict=True) if stays)
    return Fingerprints(prints.kind, tuple(kept))


def _fields(
    bundle: Bundle, domain: Domain, exam: Embeddings, clips: Sequence[LabelledClip]
) -> dict[str, Any]:
    card, head = bundle.card, bundle.head()
    masks = mask_figures(head, clips, OnnxModel(bundle).embed, read_file, domain)
    return {
        "domain": domain,
        "metrics": {
            "exam": exam_metrics(domain, head, card.temperature, exam),
            "masks": masks,
            "out_of_fold": card.metrics.out_of_fold,
        },
        "split": card.split.model_copy(update={"exam": len(clips)}),
    }


def _noted(facts: dict[str, Any], learnt: Bools, asked: Bools) -> dict[str, Any]:
    """What the card says of it, with what stood there before. The data set's clips are remembered
    first, before those that people sent."""
    before = facts.get("left_out_since", {"learnt": 0, "examined": 0})
    since = {
        "learnt": before["learnt"] + int(np.sum(~learnt)),
        "examined": before["examined"] + int(np.sum(~asked)),
    }
    from_dataset = facts.get("from_dataset", len(learnt))
    kept = int(np.sum(learnt[:from_dataset]))
    return {"left_out_since": since, "from_dataset": kept}


def main(arguments: Sequence[str] | None = None) -> int:
    return rebuild_command(
        lambda bundle, _: reexamine(
            bundle,
            needed_dataset_root(),
            load_domains(names=(bundle.domain.name,))[bundle.domain.name],
        ),
        "reexamine",
        __doc__,
        arguments,
    )


if __name__ == "__main__":
    sys.exit(main())
