"""What the models of folds said of the clips that each of them lacked, as a bundle carries it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.arrays import Floats
from data.datasets.dataset import LabelledClip, from_example, read_file
from data.datasets.split import held_out
from data.errors import Conflict
from data.media.prepare import prepare
from models.bundle import Bundle
from models.novelty import Remembered, typical, without_label
from models.runtime import OnnxModel
from models.tensors import FoldAnswers
from training.assess.calibration.calibrate import validation
from training.assess.folds import Fold
from training.assess.memory_rows import numbered
from training.job.fold_predictions import KeptFold, kept_fold


def gather(bundle: Bundle, folds: Sequence[Fold], work: Path, command: str) -> FoldAnswers:
    """Raises InvalidParameter where a fold's model was not kept, Conflict where it
    remembers other things than this bundle."""
    kept = [kept_fold(fold, work, command) for fold in folds]
    for fold, each in zip(folds, kept, strict=True):
        _must_be_beside_the_same(bundle, each.bundle, fold.name)
    parts = [
        _answers(each, [from_example(row) for row in fold.train])
        for fold, each in zip(folds, kept, strict=True)
    ]
    logits, own, other = (np.concatenate(each) for each in zip(*parts, strict=True))
    clips = [clip for each in kept for clip in each.left_out]
    return FoldAnswers(
        logits=logits,
        labels=np.array([bundle.domain.label_index(clip.label) for clip in clips], np.int64),
        groups=numbered(clips),
        folds=np.repeat(np.arange(len(kept)), [len(each.left_out) for each in kept]),
        own=own,
        other=other,
        clip_ids=tuple(clip.sha256 for clip in clips),
    )


def _must_be_beside_the_same(bundle: Bundle, fold: Bundle, name: str) -> None:
    if bool(len(bundle.others())) != bool(len(fold.others())):
        raise Conflict(
            f"of the model of {name} of {bundle.domain.name} and this bundle only one remembers "
            "sounds that no label is for: what is unknown to the one tells nothing of the other"
        )


def _answers(kept: KeptFold, learnt: Sequence[LabelledClip]) -> tuple[Floats, Floats, Floats]:
    bundle, domain, others = kept.bundle, kept.bundle.domain, kept.bundle.others()
    model, memory = OnnxModel(bundle), bundle.memory()
    remembered = Remembered(memory.values, memory.labels, len(model.labels))
    bank = without_label(others)
    clips = (prepare(read_file(clip), domain) for clip in kept.left_out)
    scores = [model.answer([clip])[0] for clip in clips]
    own = np.array([remembered.distance(each.embedding, each.best) for each in scores], np.float32)
    other = np.array([bank.distance(each.embedding, 0) for each in scores], np.float32)
    held = dict(zip(learnt, held_out(learnt, domain.training), strict=True))
    by_id = {clip.sha256: clip for clip in learnt}
    order = [by_id[clip] for clip in memory.clip_ids]
    unlearnt = validation(
        domain,
        model.head,
        memory,
        np.array([held[clip] for clip in order]),
        [clip.group for clip in order],
        others,
    )
    scale = np.float32(typical(unlearnt.own, unlearnt.weights))
    return np.stack([each.logits for each in scores]), own / scale, other / scale
