"""How good the answers were: the figures of each task, in plain numpy.

`TASKS` maps a domain's task to the function that measures it, so that nothing else has to
know which task it is looking at. A task's items are clips, or the pixels of its photographs: the
F1 of a label over pixels is the Dice coefficient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.arrays import Bools, Doubles, Integers

BOOTSTRAP = 2000
CHANCES = 500
ECE_BINS = 15  # as in Guo et al. 2017, "On calibration of modern neural networks"


@dataclass(frozen=True)
class ClassFigures:
    precision: float
    recall: float
    f1: float
    support: int  # clips whose right label this is


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence: how many, how sure in the mean, how often right."""

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Metrics:
    accuracy: float
    macro_f1: float
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]  # rows: the right label, columns: the answer
    ece: float
    reliability: tuple[Bin, ...] = ()  # the bins that are not empty, least sure first


def classification(
    probabilities: NDArray[np.floating], labels: Integers, names: Sequence[str]
) -> Metrics:
    """Figures for probabilities [N, C] against the right label ids [N], N at least 1."""
    assert len(probabilities) == len(labels) > 0, (len(probabilities), len(labels))
    counts = confusion(labels, probabilities.argmax(axis=1), len(names))
    precision, recall, f1 = figures(counts)
    rows = zip(
        precision.tolist(), recall.tolist(), f1.tolist(), counts.sum(1).tolist(), strict=True
    )
    return Metrics(
        accuracy=_accuracy(counts),
        macro_f1=macro_f1(counts),
        per_class={name: ClassFigures(*row) for name, row in zip(names, rows, strict=True)},
        confusion=tuple(tuple(row) for row in counts.tolist()),
        ece=calibration_error(probabilities, labels),
        reliability=reliability(probabilities, labels),
    )


TASKS: dict[str, Callable[[NDArray[np.floating], Integers, Sequence[str]], Metrics]] = {
    "classify": classification,
    "segment": classification,
}


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval, by bootstrap over groups."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Segmentation:
    """How well masks agree over all pixels of the exam's photographs, and how many photographs
    with a crack were found to have one."""

    dice: Interval
    iou: Interval
    found: float
    photographs: int
    groups: int


def segmentation(overlaps: Integers, groups: Sequence[str], found: float) -> Segmentation:
    """overlaps [photographs, 3]: pixels in both masks, in the answer, in the right one.

    Groups (parent photographs) are drawn with return and not crops: those of one wall are alike.
    """
    drawn = _drawn(overlaps, np.asarray(groups))
    dice, iou = map(_interval, _agreement(overlaps.sum(axis=0)), _agreement(drawn))
    return Segmentation(dice, iou, found, len(groups), len(set(groups)))


def confusion_by_clip(labels: Integers, answers: Integers, classes: int) -> Integers:
    """A confusion table [C, C] of each clip [clips]."""
    tables = np.zeros((len(labels), classes, classes), np.int64)
    tables[np.arange(len(labels)), labels, answers] = 1
    return tables


def intervals(tables: Integers, groups: Integers) -> dict[str, Interval]:
    """Accuracy and macro-F1 of clips with confusion tables [clips, C, C] in groups [clips].

    Groups are drawn with return and not clips: those of one recording, speaker or patient are
    alike, and clips drawn one by one would promise more than was seen.
    """
    classes = tables.shape[1]
    drawn = _drawn(tables.reshape(len(tables), -1), groups)
    all_drawn, whole = drawn.reshape(-1, classes, classes), tables.sum(axis=0)
    found = {"accuracy": _accuracy, "macro_f1": macro_f1}
    return {
        name: _interval(np.float64(figure(whole)), np.array([figure(one) for one in all_drawn]))
        for name, figure in found.items()
    }


def share(hits: Bools, groups: Sequence[str]) -> Interval:
    """Of clips [clips] in groups [clips], drawn as for `intervals`."""
    drawn = _drawn(np.column_stack([hits, np.ones_like(hits)]), np.asarray(groups))
    return _interval(np.float64(hits.mean()), drawn[:, 0] / drawn[:, 1])


def _drawn(values: NDArray[np.generic], groups: NDArray[np.generic]) -> Integers:
    """The sums [BOOTSTRAP, K] of values [n, K], of groups [n] drawn with return."""
    names, place = np.unique(groups, return_inverse=True)
    by_group = np.zeros((len(names), values.shape[1]), np.int64)
    np.add.at(by_group, place, values)
    chances = np.full(len(names), 1 / len(names))
    rng = np.random.default_rng(0)
    return np.asarray(rng.multinomial(len(names), chances, BOOTSTRAP) @ by_group)


def _accuracy(counts: Integers) -> float:
    return float(np.trace(counts) / counts.sum())


def _agreement(sums: NDArray[np.integer]) -> tuple[Doubles, Doubles]:
    """Dice and IoU of sums [..., 3]; 1 where neither mask has a pixel."""
    both, answered, right = (sums[..., i].astype(np.float64) for i in range(3))
    either = answered + right
    dice = np.where(either > 0, 2 * both / np.maximum(either, 1), 1.0)
    return dice, dice / (2 - dice)


def _interval(value: np.float64 | Doubles, samples: Doubles) -> Interval:
    low, high = np.quantile(samples, (0.025, 0.975))
    return Interval(float(value), float(low), float(high))


def confusion(labels: Integers, answers: Integers, classes: int) -> Integers:
    """Counts [C, C]: row is the right label, column the answer."""
    cells = np.asarray(labels) * classes + np.asarray(answers)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def figures(counts: Integers) -> tuple[Doubles, Doubles, Doubles]:
    """Precision, recall and F1, each [C], of a confusion table; 0 where there is no such clip."""
    right, asked, answered = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    return _ratio(right, answered), _ratio(right, asked), _ratio(2 * right, asked + answered)


def macro_f1(counts: Integers) -> float:
    """The mean F1 of the classes that occur, as a label or as an answer.

    A class that nobody asked about and nobody answered says nothing about the model: it is
    left out rather than counted as 0 (scikit-learn does the same).
    """
    occurs = counts.sum(axis=1) + counts.sum(axis=0) > 0
    return float(figures(counts)[2][occurs].mean())


def reliability(probabilities: NDArray[np.floating], labels: Integers) -> tuple[Bin, ...]:
    """Answers in ECE_BINS bins of equal width in confidence: the curve of a reliability diagram."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    place = _bin_of(confidence)
    return tuple(
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (place == number for number in np.unique(place))
    )


def calibration_error(probabilities: NDArray[np.floating], labels: Integers) -> float:
    """Expected calibration error: the gap between confidence and accuracy, bin by bin."""
    return answer_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)


def excess_error(confidence: NDArray[np.floating], right: Bools, groups: Integers) -> float:
    """The calibration error of answers [N] above what chance alone shows; at least 0."""
    return max(0.0, answer_error(confidence, right) - chance_error(confidence, groups))


def answer_error(confidence: NDArray[np.floating], right: Bools) -> float:
    """The calibration error of answers [N]."""
    return _gap(confidence.astype(np.float64), right)


def _gap(confidence: Doubles, right: Bools) -> float:
    gaps = np.bincount(_bin_of(confidence), weights=right - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(right))


def _bin_of(confidence: Doubles) -> Integers:
    return np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)


def chance_error(confidence: NDArray[np.floating], groups: Integers) -> float:
    """The calibration error that chance alone shows in the mean, of a model that is right exactly
    as often as it is sure of its answers [N], where those of a group are right or wrong together.
    An error is worth a word only as far as it exceeds this."""
    _, place = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(CHANCES):
        right = rng.random(int(place.max()) + 1)[place] < confidence
        errors.append(_gap(confidence.astype(np.float64), right))
    return float(np.mean(errors))


def _ratio(part: Integers, whole: Integers) -> Doubles:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
