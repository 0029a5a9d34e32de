"""How often a clip is drawn in training, where not each of them once an epoch."""

from collections.abc import Callable

import numpy as np

from data.arrays import Doubles, Integers


def draw_chances(labels: Integers, groups: Integers, sampling: str) -> Doubles | None:
    """How often each clip [N] is drawn, of 1 in all; None where each is taken once an epoch."""
    return SAMPLING[sampling](labels, groups)


def _alike(labels: Integers, groups: Integers) -> Doubles:
    """Every label as often as the others."""
    return _shares(1 / np.bincount(labels)[labels])


def _by_groups(labels: Integers, groups: Integers) -> Doubles:
    """And a group of n clips as often as sqrt(n) clips of their own: near copies teach little."""
    chances = 1 / np.sqrt(np.bincount(groups)[groups])
    return _shares(chances / np.bincount(labels, weights=chances)[labels])


def _shares(chances: Doubles) -> Doubles:
    return np.asarray(chances / chances.sum())


SAMPLING: dict[str, Callable[[Integers, Integers], Doubles | None]] = {
    "uniform": lambda *_: None,
    "balanced": _alike,
    "groups": _by_groups,
}
