"""Who may queue at a replica: as many clips as it answers in `max_wait_s`, shared fairly.

A queue without a bound only turns overload into late answers. The bound is one of time, not of
number: the replica knows how long its clips take. Its last quarter is kept for callers who hold
less than their share, so that one who floods the replica cannot lock the others out. What the
bodies take in memory is bounded apart, from before they are read.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from data.errors import Overloaded

FIRST_GUESS_S = 0.01  # a clip, before any was measured
MEMORY = 0.05  # weight of the newest batch in the mean
FEWEST = 16  # clips that may wait however long they take; twice what more replicas are asked for at
MOST = 400  # clips that may wait however short: each lies in memory
MAX_BYTES = 256 * 1024**2  # of bodies that are being read or wait
CONTESTED = 0.75  # of the places; the rest is for those below their share


class Admission:
    """Not safe between threads: everything happens on the replica's event loop."""

    def __init__(self, max_wait_s: float) -> None:
        self._max_wait_s = max_wait_s
        self._clip_s = FIRST_GUESS_S
        self._held: Counter[str] = Counter()
        self._total = 0
        self._bytes = 0

    @property
    def places(self) -> int:
        return min(MOST, max(FEWEST, int(self._max_wait_s / self._clip_s)))

    def measured(self, clip_s: float) -> None:
        """What one clip of the newest batch took, its part of the batch."""
        self._clip_s += MEMORY * (clip_s - self._clip_s)

    @contextmanager
    def room(self, caller: str, size: int) -> Iterator[None]:
        """For a body of `size` bytes from before it is read until it is answered: a refusal must
        be cheap. Raises Overloaded."""
        self.check(caller)
        if self._bytes and self._bytes + size > MAX_BYTES:
            raise Overloaded(
                f"{self._bytes:,} bytes of clips lie here already; try again in 1 s",
                retry_after_s=1,
            )
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    def check(self, caller: str) -> None:
        """Raises Overloaded where a clip of this caller would not be let in now."""
        places = self.places
        full = self._total >= places
        contested = self._total >= CONTESTED * places
        share = places / max(2, len(self._held))
        if full or (contested and self._held[caller] >= share):
            wait_s = max(1, math.ceil(self._total * self._clip_s))
            raise Overloaded(
                f"{self._total} clips wait here already, more than are answered in "
                f"{self._max_wait_s:g} s; try again in {wait_s} s",
                retry_after_s=wait_s,
            )

    @contextmanager
    def place(self, caller: str) -> Iterator[None]:
        self.check(caller)
        self._held[caller] += 1
        self._total += 1
        try:
            yield
        finally:
            self._total -= 1
            self._held[caller] -= 1
            if not self._held[caller]:
                del self._held[caller]
