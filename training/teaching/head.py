"""Teaching: a new head from remembered embeddings and people's corrections, in seconds.

The backbone stays as it is, so no training data is needed beyond what the champion's bundle
carries. The head W minimises, by L-BFGS,

      memory       sum_i w_i CE(champion's own answer to i, W)   each label weighs the same
    + corrections  sum_j c_j CE(right label of j, W)             teach.correction_weight in the
                                                                 mean, each label the same
    + prior        N * p * |W - W_champion|^2 * mean_i |embedding i|^2

divided by N, the number of remembered clips; the last factor makes the prior mean the same for
embeddings of any length. p is no weaker than teach.prior_strength, a tenth of it where a correction
would be lost otherwise, and as strong as it can be without one being lost: the head moves as far as
the corrections need, and no further.

Memory is asked to be answered as the champion answers it (Li & Hoiem
2016, learning without forgetting) and not by its labels: without corrections the champion is then
exactly the best head, and remembered clips, which the network was fitted to, do not drive it to
ever larger weights. For that reason the temperature is kept: the scale of the logits has not
changed, and there is no unseen data to refit it on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from data.domains.sections import TeachSpec
from models.tensors import Head

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]

PULLS = (300.0, 100.0, 30.0, 10.0, 3.0)  # tried from the strongest, in teach.prior_strength
LAST_RESORT = 0.1  # for a clip that sounds like a dozen remembered ones of another label


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings [n, D] and labels [n] of what is remembered or corrected."""

    values: NDArray[np.floating]
    labels: Integers


def fit_head(
    champion: Head,
    memory: LabelledEmbeddings,
    corrections: LabelledEmbeddings,
    spec: TeachSpec,
    label_smoothing: float,
) -> Head:
    classes = len(champion.bias)
    values = np.vstack([memory.values, corrections.values]).astype(np.float64)
    inputs = np.hstack([values, np.ones((len(values), 1))])
    targets = np.vstack(
        [
            softmax(champion.logits(memory.values), axis=1),
            _smoothed(corrections.labels, classes, label_smoothing),
        ]
    )
    weights = np.concatenate(
        [
            balanced_weights(memory.labels, classes),
            balanced_weights(corrections.labels, classes)
            * correction_weight(memory, corrections, spec),
        ]
    )
    weights /= max(1, len(memory.labels))
    scale = float(np.square(values).sum(axis=1).mean()) if len(values) else 1.0
    weakest = spec.prior_strength * scale
    furthest = _minimise(champion, inputs, targets, weights, weakest)
    if not _right(furthest, corrections).all():
        furthest = _minimise(champion, inputs, targets, weights, LAST_RESORT * weakest)
    learnt = _right(furthest, corrections)
    for strength in PULLS:
        nearer = _minimise(champion, inputs, targets, weights, strength * weakest)
        if _right(nearer, corrections)[learnt].all():
            return nearer
    return furthest


def _right(head: Head, lesson: LabelledEmbeddings) -> NDArray[np.bool_]:
    """[n]: which of them the head answers as it was told to."""
    return np.asarray(head.logits(lesson.values.astype(np.float32)).argmax(axis=1) == lesson.labels)


def balanced_weights(labels: Integers, classes: int) -> Doubles:
    """Mean 1 over the clips, the same sum for every label that occurs."""
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    return np.asarray(len(labels) / (max(1, present) * np.maximum(counts, 1)))[labels]


def correction_weight(
    memory: LabelledEmbeddings, corrections: LabelledEmbeddings, spec: TeachSpec
) -> float:
    """All corrections together never outweigh all that is remembered."""
    if not len(memory.labels):
        return spec.correction_weight
    return min(spec.correction_weight, len(memory.labels) / max(1, len(corrections.labels)))


def _smoothed(labels: Integers, classes: int, smoothing: float) -> Doubles:
    """Smoothing keeps the best weights finite: a label is never worth an infinite logit."""
    return np.asarray(np.eye(classes)[labels] * (1 - smoothing) + smoothing / classes)


def _minimise(
    champion: Head, inputs: Doubles, targets: Doubles, weights: Doubles, prior: float
) -> Head:
    start = np.hstack([champion.weight, champion.bias[:, None]]).astype(np.float64)

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        moved = flat.reshape(start.shape) - start
        logits = inputs @ flat.reshape(start.shape).T
        log_p = log_softmax(logits, axis=1)
        fit = -np.sum(weights[:, None] * targets * log_p)
        slope = (weights[:, None] * (np.exp(log_p) - targets)).T @ inputs
        pull = prior * np.sum(np.square(moved))
        return float(fit + pull), np.ravel(slope + 2 * prior * moved)

    best = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    found = best.x.reshape(start.shape)
    return Head(found[:, :-1].astype(np.float32), found[:, -1].astype(np.float32))
