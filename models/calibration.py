"""From scores to honest confidence: one temperature, and what a label needs to be asserted.

Both are fitted on clips the network was not trained on and travel in the bundle's card. The
fit is a golden-section search of a few lines: importing scipy.optimize costs half a second.
When we say "unknown" is in `novelty.py`; by confidence only where no distance can be measured.
"""

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

COLDEST, HOTTEST = 0.05, 20.0
GOLDEN = (math.sqrt(5) - 1) / 2
STEPS = 40  # each narrows the bracket to 0.62: 40 leave less than 1e-7 of it
PRECISION = 0.9  # of the answers that are asserted

Scores = TypeVar("Scores", NDArray[np.float32], NDArray[np.float64])


def softmax(logits: Scores) -> Scores:
    """Probabilities over the last axis, in the dtype given."""
    powers: Scores = np.exp(logits - logits.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def fit_temperature(
    logits: NDArray[np.floating],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """The T for which softmax(logits [N, C] / T) fits the labels [N] best, each with its weight
    [N]; 1 without clips.

    The labels are trusted (N+1)/(N+2), Platt's remedy (1999): a model that gets every clip
    right would otherwise be found infinitely sure of itself.
    """
    if len(labels) == 0:
        return 1.0
    values = logits.astype(np.float64)
    targets = _targets(labels, values.shape[1])

    def loss(log_temperature: float) -> float:
        scaled = values / math.exp(log_temperature)
        peaks = scaled.max(axis=1, keepdims=True)
        log_sums = np.log(np.exp(scaled - peaks).sum(axis=1, keepdims=True)) + peaks
        return float(np.average(np.sum(targets * (log_sums - scaled), axis=1), weights=weights))

    return math.exp(_lowest(loss, math.log(COLDEST), math.log(HOTTEST)))


def fit_unknown_threshold(probabilities: NDArray[np.floating], false_alarm: float = 0.05) -> float:
    """The confidence below which at most `false_alarm` of these known clips [N, C] lie.

    A clip is called unknown when its confidence is lower; 0 (never) without clips.
    """
    if len(probabilities) == 0:
        return 0.0
    return float(np.quantile(probabilities.max(axis=1), false_alarm, method="lower"))


def fit_assertions(
    probabilities: NDArray[np.floating], labels: NDArray[np.int64], precision: float = PRECISION
) -> list[float | None]:
    """For each label the lowest confidence from which on its answers held `precision` on these
    clips [N, C]; None where they never did.

    The precision is Laplace's (right + 1) / (answers + 2): a label is not asserted on the strength
    of three lucky clips, it takes eight right ones of eight. Without it the promise is broken on
    unseen clips: of validation clips, fitted on nine tenths of their groups and asked of the last,
    94 % were right where asserted (faults), 90 % (wildlife), 86 % (hearts); without, 88, 87, 86 %.
    """
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    found: list[float | None] = []
    for label in range(probabilities.shape[1]):
        own = np.flatnonzero(answers == label)
        own = own[np.argsort(-confidence[own], kind="stable")]
        held = (np.cumsum(labels[own] == label) + 1) / (np.arange(len(own)) + 3) >= precision
        places = np.flatnonzero(held)
        found.append(float(confidence[own[places[-1]]]) if len(places) else None)
    return found


def _targets(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    doubt = 1 / (len(labels) + 2)
    targets = np.full((len(labels), classes), doubt / (classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - doubt
    return targets


def _lowest(loss: Callable[[float], float], low: float, high: float) -> float:
    """Golden-section search; the loss is convex in 1/T, so it has one valley."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2
