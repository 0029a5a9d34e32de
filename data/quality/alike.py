"""What copies are known by, and the pairs that are found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fingerprints:
    """Of clips in order, by their kind's name; b"" of a clip that is like nothing, as silence."""

    kind: str
    values: tuple[bytes, ...]

    def at(self, places: Sequence[int]) -> "Fingerprints":
        return Fingerprints(self.kind, tuple(self.values[place] for place in places))


@dataclass(frozen=True)
class Alike:
    """Two clips by their places in the list, the first one first; `score` is at most 1."""

    first: int
    second: int
    score: float
