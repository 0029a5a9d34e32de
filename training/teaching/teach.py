"""One act of teaching: champion and corrections in, a new bundle out.

The new memory is the old one without what people took back, and with what they now say: a
relabelled clip takes the place of its old row. Backbone, exam and weights are taken over as they
are, by their bytes, so teaching changes nothing but the head, the memory and the card.
"""

import time
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.datasets.dataset import Floats
from data.domains.domain import Domain
from data.errors import InvalidParameter
from models.bundle import Bundle, write_bundle
from models.card import HEAD, MEMORY
from models.tensors import Embeddings, as_stored, head_bytes, memory_bytes
from training.assess.examine import exam_metrics
from training.job.plan import Uploads
from training.job.provenance import Origin
from training.job.run import Challenger, Material, RetrainRun
from training.job.serving_champion import ChampionBundle, dataset_clips, must_share_labels
from training.teaching.head import LabelledEmbeddings, fit_head


def without_uploads(champion: ChampionBundle, but: Sequence[str]) -> Embeddings:
    """The remembered clips of the data set, less those that people have labelled anew or want
    forgotten."""
    memory, ours = champion.memory, dataset_clips(champion)
    replaced = set(but)
    keep = [place for place in range(ours) if memory.clip_ids[place] not in replaced]
    return Embeddings(
        memory.by_clip[keep].reshape(-1, memory.values.shape[1]),
        memory.labels_by_clip[keep].ravel(),
        tuple(memory.clip_ids[place] for place in keep),
    )


def make_taught(run: RetrainRun, material: Material, folder: Path) -> Challenger:
    champion, uploads = material.champion, material.uploads
    if champion is None:
        raise InvalidParameter(
            f"{run.domain.name} has no model to teach yet: train one with --mode full"
        )
    must_share_labels(champion, run.domain)
    run.progress.step("teach", f"Fitting the head to {len(uploads.clips)} clips from people", 0.6)
    forgotten = material.forgotten
    bundle = teach(champion, uploads, run.domain, material.snapshot, folder, forgotten)
    return Challenger(bundle, [])


def teach(
    champion: ChampionBundle,
    uploads: Uploads,
    domain: Domain,
    snapshot: str,
    folder: Path,
    forgotten: Collection[str] = (),
) -> Bundle:
    """Uploads are all accepted clips, learnt before or not."""
    since, old = time.monotonic(), champion.bundle
    relearnt = [clip.sha256 for clip in uploads.clips]
    remembered = without_uploads(champion, [*relearnt, *forgotten])
    labels = uploads.labels.ravel()
    values = as_stored(uploads.values.reshape(-1, champion.memory.values.shape[1]))
    head = fit_head(
        old.head(),
        LabelledEmbeddings(remembered.values, remembered.labels),
        LabelledEmbeddings(values, labels),
        domain.teach,
        domain.training.label_smoothing,
    )
    clips = len(remembered.clip_ids)
    origin = Origin(
        mode="teach",
        snapshot=snapshot,
        parent=old.digest,
        seconds=time.monotonic() - since,
        epochs=0,
        workers=1,
        from_dataset=clips,
        backbone=old.card.training.backbone,
    )
    validation = min(old.card.split.validation, clips)
    exam = exam_metrics(domain, head, old.card.temperature, champion.exam)
    fields = {
        **old.card.model_dump(exclude={"format", "files"}),
        "domain": old.domain,
        "metrics": {"exam": exam},
        "split": {
            "train": clips - validation + len(uploads.clips),
            "validation": validation,
            "exam": old.card.split.exam,
        },
        **origin.card_fields(domain),
    }
    memory = _joined(remembered, values, labels, relearnt)
    files: dict[str, bytes | Path] = {
        name: old.read(name) for name in old.card.files if name not in (HEAD, MEMORY)
    }
    files |= {HEAD: head_bytes(head), MEMORY: memory_bytes(memory)}
    return write_bundle(folder, card_fields=fields, files=files)


def _joined(
    remembered: Embeddings, values: Floats, labels: NDArray[np.int64], clips: Sequence[str]
) -> Embeddings:
    return Embeddings(
        np.concatenate([remembered.values, values]),
        np.concatenate([remembered.labels, labels]),
        (*remembered.clip_ids, *clips),
    )
