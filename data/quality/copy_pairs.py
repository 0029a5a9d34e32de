"""What copies are known by, and the pairs that are found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fingerprints:
    """Of clips in order, by their kind's name; b"" of a clip that is like nothing, as silence."""

    kind: str
    values: tuple[bytes, ...]


@dataclass(frozen=True)
class CopyPair:
    """Two clips by their places in the list, the first one first; `score` is at most 1."""

    first: int
    second: int
    score: float


def pairs_among(pairs: Sequence[CopyPair], places: Sequence[int]) -> tuple[CopyPair, ...]:
    """The pairs of a shorter list, which has the clips at these places alone."""
    moved = {old: new for new, old in enumerate(places)}
    return tuple(
        CopyPair(moved[pair.first], moved[pair.second], pair.score)
        for pair in pairs
        if pair.first in moved and pair.second in moved
    )
