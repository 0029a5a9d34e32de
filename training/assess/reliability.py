"""How far a bundle's answers may be trusted: which clips it calls unknown, what it asserts, and how
sure its exam figures are.

Exam figures come from the embeddings it carries. Foreign clips are heard: those of other domains'
data sets, where they are at hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.arrays import Bools, Integers
from data.datasets.sources import Example, examples
from data.domains.domain import Domain, load_domains
from data.errors import InvalidParameter
from data.media.prepare import prepare
from models.bundle import Bundle
from models.calibration import softmax
from models.metrics import Interval, chance_error, intervals
from models.runtime import OnnxModel
from models.tensors import Embeddings

FOREIGN_CLIPS = 200  # of each other data set


@dataclass(frozen=True)
class Reliability:
    """Shares of the exam's clips; `sure_right` of those asserted, `unsure_right` of the others."""

    unknown: float
    asserted: float
    sure_right: float
    unsure_right: float


@dataclass(frozen=True)
class ForeignClips:
    dataset: str
    clips: int
    unknown: float


def exam_intervals(bundle: Bundle) -> dict[str, Interval]:
    """Accuracy and macro-F1 with 95 % intervals, by bootstrap over the exam's groups."""
    exam, classes = bundle.exam(), len(bundle.labels)
    answers = bundle.head().logits(exam.by_clip).argmax(axis=2)
    tables = np.zeros((len(answers), classes, classes), np.int64)
    np.add.at(tables, (np.arange(len(answers))[:, np.newaxis], exam.labels_by_clip, answers), 1)
    return intervals(tables, exam_groups(exam))


def exam_groups(exam: Embeddings) -> Integers:
    """[clips]; in bundles from before groups were kept, each clip stands for itself."""
    return np.arange(len(exam.clip_ids), dtype=np.int64) if exam.groups is None else exam.groups


def exam_chance_error(bundle: Bundle) -> float:
    """The calibration error that a model as sure as this one would show by chance on its exam."""
    exam = bundle.exam()
    logits = bundle.head().logits(exam.values) / np.float32(bundle.card.temperature)
    rows = len(exam.values) // len(exam.clip_ids)
    return chance_error(softmax(logits).max(axis=1), np.repeat(exam_groups(exam), rows))


def reliability(model: OnnxModel, exam: Embeddings) -> Reliability | None:
    """None of a model whose card does not say what is unknown and what is asserted."""
    if not model.card.assert_at:
        return None
    probabilities = model.probabilities(model.head.logits(exam.values))
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    why = map(model.why_unknown, exam.values, probabilities)
    unknown = np.array([reason is not None for reason in why])
    least = np.array(model.card.least_confidences)[answers]
    sure, right = ~unknown & (confidence >= least), answers == exam.labels
    return Reliability(
        float(unknown.mean()), float(sure.mean()), _share(right[sure]), _share(right[~sure])
    )


def rejected_foreign_clips(model: OnnxModel, domain: Domain, root: Path) -> list[ForeignClips]:
    """The share called unknown of the clips of each other domain of the same modality."""
    if model.card.novelty is None:
        return []
    found = []
    for name, rows in foreign_clips(domain, root).items():
        clips = (prepare(row.path.read_bytes(), domain) for row in rows)
        unknown = [model.answer([clip])[0].unknown for clip in clips]
        found.append(ForeignClips(name, len(rows), float(np.mean(unknown))))
    return found


def foreign_clips(domain: Domain, root: Path) -> dict[str, list[Example]]:
    """By data set; without those that are not at hand, or of which a domain knows all."""
    own = examples(domain, root)
    others = [other for other in load_domains().values() if other.name != domain.name]
    alike = [other for other in others if other.modality == domain.modality]
    found = {other.source.dataset: _rows(other, own, root) for other in alike}
    return {name: rows for name, rows in found.items() if rows}


def _rows(other: Domain, own: list[Example], root: Path) -> list[Example]:
    """Evenly from another data set, without what both know; none where it is not at hand."""
    groups, sources = {row.group for row in own}, {row.source for row in own}
    try:
        rows = examples(other, root)
    except InvalidParameter:
        return []
    rows = [row for row in rows if row.group not in groups and row.source not in sources]
    return [rows[place] for place in _evenly(len(rows))]


def _evenly(count: int) -> Iterator[int]:
    taken = min(count, FOREIGN_CLIPS)
    return (place * count // taken for place in range(taken))


def _share(right: Bools) -> float:
    return float(right.mean()) if len(right) else float("nan")
