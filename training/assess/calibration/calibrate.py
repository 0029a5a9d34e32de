"""What makes a model's answers deserve their confidence: the temperature, the distance beyond which
a clip is unknown, and how sure a label has to be.

Fitted on what models of folds, trained by the same recipe, said of clips that they had not learnt,
where a bundle carries that: hundreds of clips instead of the fifty that a training holds out for
validation. Those are used where there is nothing else.

Nothing is unknown where photographs are segmented: a pixel that is nothing in particular is part of
the ground.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.arrays import Bools, Doubles, Floats, Integers
from data.domains.domain import Domain
from models.calibration import (
    fit_assertions,
    fit_temperature,
    fit_unknown_threshold,
    softmax,
)
from models.masks import ROWS
from models.novelty import fit_limits, fit_nearest_other, typical, unseen_distances, without_label
from models.tensors import Embeddings, FoldAnswers, Head

FALSE_ALARMS = 0.05  # of known clips, that they are unknown


@dataclass(frozen=True)
class Unlearnt:
    """What was said of n clips (of photographs: of n pixels) that were not learnt: logits [n, C],
    right label ids [n], and `weights` [n], of each group 1 in all.

    `own` [n] and `other` [n] are distances, as `FoldAnswers` has them, in units of their own;
    without any where nothing is ever unknown.
    """

    logits: Floats
    labels: Integers
    weights: Doubles
    own: Doubles
    other: Doubles


def calibrate(
    domain: Domain, held_out: Unlearnt, answers: FoldAnswers | None = None
) -> dict[str, Any]:
    """The card's `temperature`, `novelty`, `unknown_threshold` and `assert_at`, from what folds
    said, or from `held_out`, the validation clips.

    A group is one witness: forty near copies are right or wrong, near or far together.
    """
    if answers is not None:
        return fit(domain, scaled(answers, typical(held_out.own, held_out.weights)))
    return fit(domain, held_out)


def validation(
    domain: Domain,
    head: Head,
    memory: Embeddings,
    held: Bools,
    groups: Sequence[str],
    others: Floats,
) -> Unlearnt:
    """`held` [clips] marks validation among the remembered clips, which belong to `groups` [clips],
    and `others` [m, D] are embeddings of sounds that no label is for."""
    rows = np.repeat(held, ROWS[domain.task])
    logits = head.logits(memory.values[rows])
    weights = np.repeat(votes(groups), ROWS[domain.task])[rows]
    distances = DISTANCES[domain.task](memory, held, groups, logits.argmax(axis=1), others)
    return Unlearnt(logits, memory.labels[rows], weights, *distances)


def scaled(answers: FoldAnswers, scale: float) -> Unlearnt:
    """With distances as they would be in a network of which that is typical."""
    own, other = (np.float64(scale) * far for far in (answers.own, answers.other))
    return Unlearnt(answers.logits, answers.labels, votes(answers.groups), own, other)


def fit(domain: Domain, unlearnt: Unlearnt) -> dict[str, Any]:
    temperature = fit_temperature(unlearnt.logits, unlearnt.labels, unlearnt.weights)
    probabilities = softmax(unlearnt.logits / np.float32(temperature))
    return {"temperature": temperature, **MORE[domain.task](domain, unlearnt, probabilities)}


def votes(groups: Sequence[str] | Integers) -> Doubles:
    """[clips], those of each group 1 in all."""
    _, place, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return 1 / sizes[place]


def _distances(
    memory: Embeddings, held: Bools, groups: Sequence[str], answers: Integers, others: Floats
) -> tuple[Doubles, Doubles]:
    everyone = np.zeros(len(held), np.int64)
    everyone[held] = answers
    bank = without_label(others)
    other = np.array([bank.distance(one, 0) for one in memory.values[held]], np.float64)
    return unseen_distances(memory.values, memory.labels, groups, held, everyone), other


def _no_distances(*_: object) -> tuple[Doubles, Doubles]:
    return np.zeros(0), np.zeros(0)


DISTANCES: dict[str, Callable[..., tuple[Doubles, Doubles]]] = {
    "classify": _distances,
    "segment": _no_distances,
}


def _of_clips(domain: Domain, unlearnt: Unlearnt, probabilities: Floats) -> dict[str, Any]:
    needed = fit_assertions(probabilities, unlearnt.labels, unlearnt.weights)
    novelty = _novelty(domain, unlearnt, probabilities.argmax(axis=1))
    return {
        "novelty": novelty,
        "unknown_threshold": 0.0 if novelty else fit_unknown_threshold(probabilities),
        "assert_at": dict(zip(domain.labels, needed, strict=True)),
    }


def _novelty(domain: Domain, unlearnt: Unlearnt, answers: Integers) -> dict[str, Any] | None:
    far, other = unlearnt.own, unlearnt.other
    known = np.isfinite(far)  # not so of a label without a clip of another group
    if not known.any():
        return None
    has_bank = bool(np.isfinite(other).any())
    share = FALSE_ALARMS / 2 if has_bank else FALSE_ALARMS  # of either way to be unknown
    weights, classes = unlearnt.weights[known], len(domain.labels)
    limits = fit_limits(far[known], answers[known], classes, share, weights)
    least = fit_nearest_other(far[known], other[known], share) if has_bank else 0.0
    return {
        "limits": dict(zip(domain.labels, limits.tolist(), strict=True)),
        "nearest_other": least,
        "false_alarms": float(
            np.average(beyond(far, other, answers, limits, least), weights=unlearnt.weights)
        ),
        "clips": len(far),
    }


def beyond(
    own: NDArray[np.floating],
    other: NDArray[np.floating],
    answers: Integers,
    limits: Doubles,
    nearest_other: float,
) -> Bools:
    """Which of these clips [n] are unknown."""
    return np.asarray((own > limits[answers]) | (other < nearest_other * own))


def _of_pixels(*_: object) -> dict[str, Any]:
    return {"novelty": None, "unknown_threshold": 0.0, "assert_at": {}}


MORE: dict[str, Callable[[Domain, Unlearnt, Floats], dict[str, Any]]] = {
    "classify": _of_clips,
    "segment": _of_pixels,
}
