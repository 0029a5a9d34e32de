"""Who may queue at a replica: as many clips as it answers in `max_wait_s`, shared fairly.

A queue without a bound only turns overload into late answers. The bound is one of time, not of
number: the replica knows how long its clips take. What bodies take in memory is bounded apart, as
they arrive. The last quarter of both is kept for callers who hold less than their share, so that
those who flood the replica cannot lock the others out.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from data.errors import Overloaded

FIRST_GUESS_S = 0.01  # a clip, before any was measured
MEMORY = 0.05  # weight of the newest batch in the mean
FEWEST = 16  # clips that may wait however long they take; twice what more replicas are asked for at
MOST = 400  # clips that may wait however short: each lies in memory
MAX_BYTES = 256 * 1024**2  # of bodies that are being read or wait
CONTESTED = 0.75  # of what there is; the rest is for those below their share


@dataclass
class Held:
    """What each caller holds of something that there is only so much of."""

    total: int = 0
    of: Counter[str] = field(default_factory=Counter)

    def refuses(self, caller: str, size: int, most: int) -> bool:
        after = self.total + size
        if after <= CONTESTED * most:
            return False
        mine = self.of.get(caller, 0)
        share = CONTESTED * most / max(1, len(self.of))
        return after > most or (mine > 0 and mine + size > share)

    def take(self, caller: str, size: int) -> None:
        self.total += size
        self.of[caller] += size

    def give_back(self, caller: str, size: int) -> None:
        self.total -= size
        self.of[caller] -= size
        if not self.of[caller]:
            del self.of[caller]


class Room:
    """One request's part of the memory, inside the block; `hold` is told of bytes as they come."""

    __slots__ = ("_caller", "_held", "_size")

    def __init__(self, caller: str, held: Held) -> None:
        self._caller = caller
        self._held = held
        self._size = 0

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *error: object) -> None:
        self._held.give_back(self._caller, self._size)

    def hold(self, size: int) -> None:
        """Raises Overloaded; a body that is alone may be of any size."""
        others = self._held.total - self._size
        if others and self._held.refuses(self._caller, size, MAX_BYTES):
            raise Overloaded(
                f"{self._held.total:,} bytes of clips lie here already; try again in 1 s"
            )
        self._held.take(self._caller, size)
        self._size += size


class Admission:
    """Not safe between threads: everything happens on the replica's event loop."""

    def __init__(self, max_wait_s: float, fewest: int = FEWEST) -> None:
        self._max_wait_s = max_wait_s
        self._fewest = max(FEWEST, fewest)
        self._clip_s = FIRST_GUESS_S
        self._clips = Held()
        self._bytes = Held()

    @property
    def places(self) -> int:
        return max(self._fewest, min(MOST, int(self._max_wait_s / self._clip_s)))

    @property
    def busy(self) -> bool:
        """Whether any clip waits or is being answered."""
        return self._clips.total > 0

    def measured(self, clip_s: float) -> None:
        """What one clip of the newest batch took, its part of the batch."""
        self._clip_s += MEMORY * (clip_s - self._clip_s)

    def room(self, caller: str) -> Room:
        """For a body, from before it is read until it is answered. Raises Overloaded before it is
        read where there would be no place for the clip: a refusal must be cheap."""
        self.check(caller)
        return Room(caller, self._bytes)

    def check(self, caller: str) -> None:
        """Raises Overloaded where a clip of this caller would not be let in now."""
        if self._clips.refuses(caller, 1, self.places):
            waiting = self._clips.total
            wait_s = max(1, math.ceil(waiting * self._clip_s))
            raise Overloaded(
                f"{waiting} clips wait here already, more than are answered in "
                f"{self._max_wait_s:g} s; try again in {wait_s} s",
                retry_after_s=wait_s,
            )

    @contextmanager
    def place(self, caller: str) -> Iterator[None]:
        self.check(caller)
        self._clips.take(caller, 1)
        try:
            yield
        finally:
            self._clips.give_back(caller, 1)
