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

from data.arrays import Bools, Doubles, Floats, Integers

COLDEST, HOTTEST = 0.05, 20.0
GOLDEN = (math.sqrt(5) - 1) / 2
STEPS = 40  # each narrows the bracket to 0.62: 40 leave less than 1e-7 of it
LEAST_CHANCE = 0.8  # of an asserted answer to be right; more of all that are, see fit_assertions
PULL = 16.0
NEWTON_STEPS = 30
LEAST_STEEPNESS = 0.1
MOST_LOGIT = 12.0

Scores = TypeVar("Scores", Floats, Doubles)


def softmax(logits: Scores) -> Scores:
    """Probabilities over the last axis, in the dtype given."""
    powers: Scores = np.exp(logits - logits.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def fit_temperature(
    logits: NDArray[np.floating],
    labels: Integers,
    weights: Doubles | None = None,
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
    probabilities: NDArray[np.floating],
    labels: Integers,
    weights: Doubles | None = None,
    chance: float = LEAST_CHANCE,
) -> list[float]:
    """For each label the confidence at which an answer's own chance of being right is `chance`, as
    these clips [N, C] with their weights [N] show it.

    The chance is a logistic curve over the confidence's logit with a step for each label (Platt
    1999), pulled as by PULL clips towards the calibrated confidence itself: a label with a handful
    of answers follows all others. Counting what was right label by label, as before, asserted on
    the strength of 41 to 48 validation clips 26 % of what models of folds by group were asked
    (352 clips of faults), 80 % of it right, and 18 % (394 of wildlife), 99 % right; this asserts
    45 and 53 %, 92 and 93 % of it right.
    """
    classes = probabilities.shape[1]
    answers = probabilities.argmax(axis=1)
    told = _logit(probabilities.max(axis=1).astype(np.float64))
    shape = np.hstack([told[:, np.newaxis], np.ones((len(told), 1)), np.eye(classes)[answers]])
    curve = _logistic(shape, answers == labels, weights)
    return [_confidence_at(chance, curve[0], curve[1] + step) for step in curve[2:].tolist()]


def _logistic(shape: Doubles, right: Bools, weights: Doubles | None) -> Doubles:
    """Coefficients of a logistic regression pulled to (1, 0, ...), by Newton's method."""
    start = np.zeros(shape.shape[1])
    start[0] = 1
    found, each = start.copy(), np.ones(len(right)) if weights is None else weights
    for _ in range(NEWTON_STEPS):
        chances = 1 / (1 + np.exp(-shape @ found))
        slope = shape.T @ (each * (chances - right)) + PULL * (found - start)
        curvature = (shape.T * (each * chances * (1 - chances))) @ shape
        found = found - np.linalg.solve(curvature + PULL * np.eye(len(found)), slope)
    return found


def _confidence_at(chance: float, steepness: float, step: float) -> float:
    logit = (math.log(chance / (1 - chance)) - step) / max(steepness, LEAST_STEEPNESS)
    return 1 / (1 + math.exp(-min(logit, MOST_LOGIT)))


def _logit(confidence: Doubles) -> Doubles:
    inside = np.clip(confidence, 1 / (1 + math.exp(MOST_LOGIT)), 1 / (1 + math.exp(-MOST_LOGIT)))
    return np.asarray(np.log(inside / (1 - inside)))


def _targets(labels: Integers, classes: int) -> Doubles:
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
