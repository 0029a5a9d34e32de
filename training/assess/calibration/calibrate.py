"""What makes a model's answers deserve their confidence, fitted on its validation clips: the
temperature, the distance beyond which a clip is unknown, and how sure a label has to be.

Nothing is unknown where photographs are segmented: a pixel that is nothing in particular is part of
the ground.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data.arrays import Bools, Doubles, Floats, Integers
from data.domains.domain import Domain
from models.calibration import (
    fit_assertions,
    fit_temperature,
    fit_unknown_threshold,
    softmax,
)
from models.masks import ROWS
from models.novelty import fit_limits, fit_nearest_other, unseen_distances, without_label
from models.tensors import Embeddings, Head

FALSE_ALARMS = 0.05  # of known clips, that they are unknown


def calibrate(
    domain: Domain,
    head: Head,
    memory: Embeddings,
    held: Bools,
    groups: Sequence[str],
    others: Floats,
) -> dict[str, Any]:
    """The card's `temperature`, `novelty`, `unknown_threshold` and `assert_at`; `held` [clips]
    marks validation among the remembered clips, which belong to `groups` [clips], and `others`
    [m, D] are embeddings of sounds that no label is for.

    To temperature and assertions a group is one witness: forty near copies are right or wrong
    together.
    """
    rows = np.repeat(held, ROWS[domain.task])
    logits, labels = head.logits(memory.values[rows]), memory.labels[rows]
    temperature = fit_temperature(
        logits, labels, np.repeat(_votes(groups), ROWS[domain.task])[rows]
    )
    probabilities = softmax(logits / np.float32(temperature))
    more = MORE[domain.task](domain, memory, held, groups, probabilities, others)
    return {"temperature": temperature, **more}


def _votes(groups: Sequence[str]) -> Doubles:
    """[clips], those of each group 1 in all."""
    _, place, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return 1 / sizes[place]


def _of_clips(
    domain: Domain,
    memory: Embeddings,
    held: Bools,
    groups: Sequence[str],
    probabilities: Floats,
    others: Floats,
) -> dict[str, Any]:
    needed = fit_assertions(probabilities, memory.labels[held], _votes(groups)[held])
    novelty = _novelty(domain, memory, held, groups, probabilities.argmax(axis=1), others)
    return {
        "novelty": novelty,
        "unknown_threshold": 0.0 if novelty else fit_unknown_threshold(probabilities),
        "assert_at": dict(zip(domain.labels, needed, strict=True)),
    }


def _novelty(
    domain: Domain,
    memory: Embeddings,
    held: Bools,
    groups: Sequence[str],
    answers: Integers,
    others: Floats,
) -> dict[str, Any] | None:
    everyone = np.zeros(len(held), np.int64)
    everyone[held] = answers
    far = unseen_distances(memory.values, memory.labels, groups, held, everyone)
    known = np.isfinite(far)  # not so of a label without a clip of another group
    if not known.any():
        return None
    share = FALSE_ALARMS / 2 if len(others) else FALSE_ALARMS  # of either way to be unknown
    limits = fit_limits(far[known], answers[known], len(domain.labels), share)
    bank = without_label(others)
    other = np.array([bank.distance(one, 0) for one in memory.values[held]], np.float64)
    least = fit_nearest_other(far[known], other[known], share) if len(others) else 0.0
    return {
        "limits": dict(zip(domain.labels, limits.tolist(), strict=True)),
        "nearest_other": least,
        "false_alarms": float(np.mean((far > limits[answers]) | (other < least * far))),
        "clips": len(far),
    }


def _of_pixels(*_: object) -> dict[str, Any]:
    return {"novelty": None, "unknown_threshold": 0.0, "assert_at": {}}


MORE: dict[str, Callable[..., dict[str, Any]]] = {"classify": _of_clips, "segment": _of_pixels}
