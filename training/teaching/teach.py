"""One act of teaching: champion and corrections in, a new bundle out.

The head is fitted from the anchor, that of the last full training, which the bundle carries on. The
new memory is the old one without what people took back, and with what they now say: a relabelled
clip takes the place of its old row. Backbone, exam and weights are taken over as they are, by their
bytes, so teaching changes nothing but the head, the memory and the card.
"""

import time
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from data.domains.domain import Domain
from data.errors import InvalidParameter
from models.bundle import Bundle, rewrite_bundle
from models.card import ANCHOR, HEAD, MEMORY
from models.tensors import Embeddings, head_bytes, memory_bytes
from training.assess.examine import exam_metrics
from training.job.provenance import Origin
from training.job.run import Challenger, Material, RetrainRun
from training.screening.serving_champion import ChampionBundle, dataset_clips, must_share_labels
from training.screening.uploads import Uploads
from training.teaching.corrections import corrections_of, new_rows
from training.teaching.fresh_evidence import added, read_evidence
from training.teaching.head import FittedHead, LabelledEmbeddings, chosen_fit


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
    since, old, anchor = time.monotonic(), champion.bundle, champion.bundle.anchor()
    relearnt = [clip.sha256 for clip in uploads.clips]
    remembered = without_uploads(champion, [*relearnt, *forgotten])
    corrections = corrections_of(uploads, anchor.weight.shape[1])
    fitted = chosen_fit(
        anchor,
        LabelledEmbeddings(remembered.values, remembered.labels),
        corrections,
        domain.teach,
        domain.training.label_smoothing,
    )
    head = fitted.head
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
        "domain": old.domain,
        "metrics": {"exam": exam, "out_of_fold": old.card.metrics.out_of_fold},
        "split": {
            "train": clips - validation + len(uploads.clips),
            "validation": validation,
            "exam": old.card.split.exam,
        },
        **origin.card_fields(domain),
    }
    new = new_rows(uploads, champion)
    kept = read_evidence(old.card.training.model_dump())
    evidence = added(kept, old.head(), anchor, corrections.only(new))
    fields["training"] |= {
        "pull": fitted.pull,
        "unseen_loss": _told(fitted),
        "fresh_evidence": vars(evidence),
        "log_mel_means": old.card.training.log_mel_means,
        "other_sounds": old.card.training.other_sounds,
    }
    memory = _joined(remembered, corrections, relearnt)
    files = {HEAD: head_bytes(head), ANCHOR: head_bytes(anchor), MEMORY: memory_bytes(memory)}
    return rewrite_bundle(old, folder, fields=fields, files=files)


def pull_of(bundle: Bundle) -> float:
    """With what pull a taught bundle's head was fitted; 1 if its card is older than that."""
    return float(bundle.card.training.model_dump().get("pull", 1.0))


def _told(fitted: FittedHead) -> dict[str, float]:
    return {f"{pull:g}": round(loss, 4) for pull, loss in fitted.unseen_loss.items()}


def _joined(
    remembered: Embeddings, corrections: LabelledEmbeddings, clips: Sequence[str]
) -> Embeddings:
    return Embeddings(
        np.concatenate([remembered.values, corrections.values.astype(np.float32)]),
        np.concatenate([remembered.labels, corrections.labels]),
        (*remembered.clip_ids, *clips),
    )
