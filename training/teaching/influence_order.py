"""In which order corrections harm what is remembered, to first order: one fit for all of them.

The influence of a correction on a loss is its gradient times the fit's inverse curvature times the
gradient of that loss (Koh & Liang 2017, "Understanding black-box predictions via influence
functions"). The curvature is taken in Kronecker factors, one of classes and one of inputs (Martens
& Grosse 2015). The loss is that of remembered clips alone: many wrong corrections that agree serve
each other, and a loss that counts them would call them good.
"""

import numpy as np
from scipy.special import softmax

from data.arrays import Doubles
from data.domains.sections import TeachSpec
from models.tensors import Head
from training.teaching.head import (
    LabelledEmbeddings,
    balanced_weights,
    correction_weights,
    prior_weight,
    smoothed_targets,
    with_ones,
)


def first_order_influence(
    head: Head,
    memory: LabelledEmbeddings,
    corrections: LabelledEmbeddings,
    spec: TeachSpec,
    label_smoothing: float,
    pull: float,
) -> Doubles:
    """[n]: what the loss of remembered clips would fall by, up to a factor that is the same for
    all, if a correction that `head` was fitted to weighed less."""
    remembered, classes = len(memory.labels), len(head.bias)
    values = np.vstack([memory.values, corrections.values]).astype(np.float64)
    answers = softmax(head.logits(values.astype(np.float32)).astype(np.float64), axis=1)
    weights = np.concatenate(
        [
            balanced_weights(memory.labels, classes),
            correction_weights(corrections, remembered, spec),
        ]
    ) / max(1, remembered)
    inputs = with_ones(values)
    of_inputs, in_inputs = np.linalg.eigh((inputs * weights[:, None]).T @ inputs)
    of_classes, in_classes = np.linalg.eigh(_class_curvature(answers, weights))
    prior = 2 * prior_weight(values, spec, pull)
    wrong = answers[:remembered] - np.eye(classes)[memory.labels]
    slope = in_classes.T @ (wrong.T @ inputs[:remembered]) @ in_inputs
    slope /= np.outer(of_classes, of_inputs) + prior
    solved = in_classes @ slope @ in_inputs.T
    targets = smoothed_targets(corrections.labels, classes, label_smoothing)
    pulls = answers[remembered:] - targets
    return np.asarray(-np.sum((pulls @ solved) * inputs[remembered:], axis=1))


def _class_curvature(answers: Doubles, weights: Doubles) -> Doubles:
    """[classes, classes]: the mean of diag(p) - p p^T over answers p."""
    weighted = answers * weights[:, None]
    return np.asarray((np.diag(weighted.sum(axis=0)) - weighted.T @ answers) / weights.sum())
