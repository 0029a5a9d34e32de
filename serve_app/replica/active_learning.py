"""Active learning: which logged predictions people should label next, the most useful first.

A prediction is worth a label where its margin is small or it is unknown, where few accepted clips
have its label, and where its embedding is unlike those chosen before it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from data.arrays import Floats

if TYPE_CHECKING:
    from data.store.kept_predictions import KeptPrediction

LABEL_SHARE = 0.5  # of those that are asked about, that one label may take


def query_order(
    answers: "Sequence[KeptPrediction]", labelled: Mapping[str, int], most: int
) -> "list[KeptPrediction]":
    """At most so many of the answers, which are of one backbone; `labelled` counts the accepted
    clips by label. One label takes no more than its share as long as there are others."""
    if not answers:
        return []
    directions = _directions(answers)
    worth = np.array([_doubt(one) * _need(one.label, labelled) for one in answers])
    labels = np.array([one.label for one in answers])
    open_ = np.ones(len(answers), bool)
    far = np.ones(len(answers))  # from the nearest that was chosen: 0 the same, 1 unlike
    taken: Counter[str] = Counter()
    chosen: list[KeptPrediction] = []
    while len(chosen) < most and open_.any():
        share = LABEL_SHARE * (len(chosen) + 1)
        others = open_ & ~np.isin(labels, [name for name in taken if taken[name] + 1 > share])
        wanted = others if others.any() else open_
        best = int(np.argmax(np.where(wanted, worth * far, -1.0)))
        chosen.append(answers[best])
        taken[answers[best].label] += 1
        open_[best] = False
        far = np.minimum(far, (1.0 - directions @ directions[best]).clip(0.0, 1.0))
    return chosen


def _directions(answers: "Sequence[KeptPrediction]") -> Floats:
    """[n, D], each of length 1."""
    rows = [np.frombuffer(one.embedding, np.float16) for one in answers]
    values = np.stack(rows).astype(np.float32)
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6))


def _doubt(one: "KeptPrediction") -> float:
    """From 0 to 1: how near the second likeliest label comes to the first."""
    if one.unknown:
        return 1.0
    second, first = sorted(one.probabilities.values())[-2:]
    return 1.0 - (first - second)


def _need(label: str, labelled: Mapping[str, int]) -> float:
    return math.sqrt(1.0 / (1 + labelled.get(label, 0)))
