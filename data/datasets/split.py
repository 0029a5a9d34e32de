"""Which clips are held out: whole groups only, chosen by a hash.

For validation among what is learnt from, and for the exam of a data set that names none itself.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from data.arrays import Bools, Integers
from data.domains.sections import TrainingSpec
from data.errors import InvalidParameter

NOBODY: Mapping[str, bool] = MappingProxyType({})


@dataclass(frozen=True)
class Exam:
    """sha256 of its clips, and the groups (recordings, speakers) that they belong to."""

    clips: frozenset[str]
    groups: frozenset[str]


class Grouped(Protocol):
    """A clip of any kind."""

    @property
    def label(self) -> str: ...

    @property
    def group(self) -> str: ...


def held_out(
    clips: Sequence[Grouped], spec: TrainingSpec, pinned: Mapping[str, bool] = NOBODY
) -> Bools:
    """[clips]: which of them a training holds out for validation; see `validation_mask`."""
    labels, groups = [clip.label for clip in clips], [clip.group for clip in clips]
    return validation_mask(labels, groups, spec.validation_fraction, spec.seed, pinned)


def validation_mask(
    labels: Sequence[str],
    groups: Sequence[str],
    fraction: float,
    seed: int,
    pinned: Mapping[str, bool] = NOBODY,
) -> Bools:
    """True for validation. Whole groups only, each label in about its own proportion; a group
    that is `pinned` is on the side that was said, and the others fill up what is lacking.

    Groups are taken in the order of a hash while every label in them still lacks clips; where
    groups are so large that a label got none, its smallest one is taken after all, as long as
    every label keeps one to learn from. By a hash and not by lot, because clips that come
    in later then hardly change who is held out: a network may go on training.
    """
    names = sorted(set(labels))
    counts = {group: np.zeros(len(names), np.int64) for group in groups}
    for label, group in zip(labels, groups, strict=True):
        counts[group][names.index(label)] += 1
    total = np.sum(list(counts.values()), axis=0)
    wanted = np.maximum(1, np.round(total * fraction))
    free = counts.keys() - pinned.keys()
    order = sorted(free, key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest())
    taken = {group for group, is_held in pinned.items() if is_held}
    held = sum((counts[group] for group in taken), np.zeros(len(names), np.int64))
    for group in order:
        after = held + counts[group]
        touched = counts[group] > 0
        if np.all(after[touched] <= wanted[touched]) and _leaves_some(counts[group], held, total):
            taken.add(group)
            held = after
    for place in np.flatnonzero(held == 0):
        mine = [g for g in order if counts[g][place] and _leaves_some(counts[g], held, total)]
        if held[place] == 0 and mine:
            smallest = min(mine, key=lambda group: int(counts[group].sum()))
            taken.add(smallest)
            held = held + counts[smallest]
    if not taken:
        raise InvalidParameter(
            f"nothing can be held out for validation or the exam: {len(labels)} clips in "
            f"{len(counts)} groups; some label needs clips of two groups (recordings, speakers) "
            "or more"
        )
    return np.array([group in taken for group in groups])


def _leaves_some(group: Integers, held: Integers, total: Integers) -> bool:
    touched = group > 0
    return bool(np.all((held + group)[touched] < total[touched]))
