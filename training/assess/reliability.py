"""How far a bundle's answers may be trusted: which clips it calls unknown, what it asserts, and how
sure its exam figures are.

Exam figures come from the embeddings it carries. Foreign clips are heard: those of other domains'
data sets, where they are at hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from data.arrays import Bools, Doubles, Integers
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
SURE = 0.975  # quantile of Student's t


@dataclass(frozen=True)
class Reliability:
    """Shares of the exam's clips; `sure_right` of those asserted, `unsure_right` of the others."""

    unknown: float
    asserted: float
    sure_right: float
    unsure_right: float


@dataclass(frozen=True)
class Trusted:
    """[rows] of an exam: which are called unknown, which asserted, and which are right."""

    unknown: Bools
    asserted: Bools
    right: Bools


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


def trusted(model: OnnxModel, exam: Embeddings) -> Trusted | None:
    """None of a model whose card does not say what is unknown and what is asserted."""
    if not model.card.assert_at:
        return None
    probabilities = model.probabilities(model.head.logits(exam.values))
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    why = map(model.why_unknown, exam.values, probabilities)
    unknown = np.array([reason is not None for reason in why])
    least = np.array(model.card.least_confidences)[answers]
    return Trusted(unknown, ~unknown & (confidence >= least), answers == exam.labels)


def reliability(model: OnnxModel, exam: Embeddings) -> Reliability | None:
    """None as of `trusted`."""
    found = trusted(model, exam)
    if found is None:
        return None
    sure, right = found.asserted, found.right
    return Reliability(
        float(found.unknown.mean()), float(sure.mean()), _share(right[sure]), _share(right[~sure])
    )


def rises(
    after: Doubles | Bools, before: Doubles | Bools, groups: NDArray[Any], least: float
) -> bool:
    """Whether the mean over the same clips [N] rises by more than `least`, and by more than chance
    would make it rise in 19 of 20 draws of groups (Student's t of their sums). Of one group nothing
    is sure."""
    rise = np.asarray(after, np.float64) - before
    by_group = np.bincount(np.unique(groups, return_inverse=True)[1], rise - rise.mean())
    count = len(by_group)
    if count < 2:
        return False
    error = np.sqrt(np.square(by_group).sum() * count / (count - 1)) / len(rise)
    return bool(rise.mean() > max(least, stdtrit(count - 1, SURE) * error))


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


def foreign_clips(
    domain: Domain, root: Path, most: int = FOREIGN_CLIPS
) -> dict[str, list[Example]]:
    """By data set, `most` of each; without those that are not at hand, or of which a domain knows
    all."""
    own = _at_hand(domain, root)
    others = [other for other in load_domains().values() if other.name != domain.name]
    alike = [other for other in others if other.modality == domain.modality]
    found = {other.source.dataset: _rows(other, own, root, most) for other in alike}
    return {name: rows for name, rows in found.items() if rows}


def _rows(other: Domain, own: list[Example], root: Path, most: int) -> list[Example]:
    """Evenly from another data set, without what both know."""
    groups, sources = {row.group for row in own}, {row.source for row in own} - {""}
    rows = _at_hand(other, root)
    rows = [row for row in rows if row.group not in groups and row.source not in sources]
    return [rows[place] for place in _evenly(len(rows), most)]


def _at_hand(domain: Domain, root: Path) -> list[Example]:
    try:
        return examples(domain, root)
    except InvalidParameter:
        return []


def _evenly(count: int, most: int) -> Iterator[int]:
    taken = min(count, most)
    return (place * count // taken for place in range(taken))


def _share(right: Bools) -> float:
    return float(right.mean()) if len(right) else float("nan")
