"""Threads that share a machine's cores, in simulated time.

Every busy thread gets an equal share, at most one core: Kleinrock's processor sharing (Queueing
Systems II, 1976, 4.4). The two threads of a Python process also share its lock; while both are
busy they get `overlap` cores together, 1 (they take turns) to 2 (they do not meet).

So there are two speeds at any moment, and a virtual clock for each replaces an update of every
job: a job ends when its clock has advanced by its work, however the speed changed meanwhile.
"""

from heapq import heappop, heappush

ALONE, PAIRED = 0, 1
NEVER = float("inf")


class Thread:
    """`token` tells a heap's entry that a change of clock has overtaken."""

    __slots__ = ("busy", "finish", "idle_since", "kind", "number", "partner", "token")

    def __init__(self, number: int) -> None:
        self.number = number
        self.partner: Thread | None = None
        self.busy = False
        self.kind = ALONE
        self.finish = 0.0
        self.token = 0
        self.idle_since = NEVER


class Cores:
    """`now` in seconds; `used` counts the seconds of CPU that threads have had."""

    def __init__(self, cores: float, overlap: float) -> None:
        self.now = 0.0
        self.used = 0.0
        self._cores = cores
        self._overlap = overlap
        self._clock = [0.0, 0.0]
        self._speed = [1.0, 1.0]
        self._busy = [0, 0]
        self._heaps: list[list[tuple[float, int, int, Thread]]] = [[], []]

    def start(self, thread: Thread, work_s: float) -> None:
        thread.busy = True
        partner = thread.partner
        paired = partner is not None and partner.busy
        if partner is not None and paired:
            self._move(partner, PAIRED)
        self._put(thread, PAIRED if paired else ALONE, work_s)
        self._pace()

    def next(self) -> float:
        """When the next job ends; NEVER while all threads are idle."""
        return self._soonest()[0]

    def advance(self, moment: float) -> None:
        """Time passes; `moment` is no later than `next()`."""
        passed = moment - self.now
        for kind in (ALONE, PAIRED):
            self._clock[kind] += passed * self._speed[kind]
            self.used += passed * self._speed[kind] * self._busy[kind]
        self.now = moment

    def finish(self) -> Thread:
        """The thread whose job ends now."""
        thread = heappop(self._heaps[self._soonest()[1]])[3]
        thread.busy = False
        thread.token += 1
        thread.idle_since = self.now
        self._busy[thread.kind] -= 1
        if thread.partner is not None and thread.partner.busy:
            self._move(thread.partner, ALONE)
        self._pace()
        return thread

    def _put(self, thread: Thread, kind: int, work_s: float) -> None:
        thread.kind = kind
        thread.finish = self._clock[kind] + work_s
        self._busy[kind] += 1
        heappush(self._heaps[kind], (thread.finish, thread.number, thread.token, thread))

    def _move(self, thread: Thread, kind: int) -> None:
        left = thread.finish - self._clock[thread.kind]
        self._busy[thread.kind] -= 1
        thread.token += 1
        self._put(thread, kind, left)

    def _pace(self) -> None:
        wanted = self._busy[ALONE] + self._busy[PAIRED] * self._overlap / 2
        share = min(1.0, self._cores / wanted) if wanted else 1.0
        self._speed = [share, share * self._overlap / 2]

    def _soonest(self) -> tuple[float, int]:
        found = NEVER, ALONE
        for kind in (ALONE, PAIRED):
            heap = self._heaps[kind]
            while heap and heap[0][2] != heap[0][3].token:
                heappop(heap)
            if heap:
                left = max(0.0, heap[0][0] - self._clock[kind])
                found = min(found, (self.now + left / self._speed[kind], kind))
        return found
