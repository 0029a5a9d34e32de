"""A node as a network of queues, simulated: what its users wait, and what it carries at most.

A request passes client -> HAProxy -> a replica's event loop -> its worker, which takes up to
`max_batch` waiting clips at once -> event loop -> HAProxy -> client. Each is one thread that serves
first come, first served; HAProxy picks the replica with the fewest requests. A thread that stood
idle finds cold caches and takes longer.

Busy threads share the cores, each at most one: Kleinrock's processor sharing (Queueing Systems II,
1976, 4.4). The two threads of a Python process also share its lock; while both are busy they get
`overlap` cores together, 1 (they take turns) to 2 (they do not meet).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, repeat

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
IN, OUT = 0.6, 0.4  # of a thread's work on a request: the clip comes in, a little JSON goes out
DRAWS = 4096
WARM_UP = 0.05  # of a run, which starts from an empty node; left out
NEVER = float("inf")


@dataclass(frozen=True)
class Cost:
    warm_ms: float = 0.0  # CPU of work that follows work
    cold_ms: float = 0.0  # and of work after so much idleness, or more:
    gap_ms: float = 30.0

    def after(self, idle_s: float) -> float:
        """Seconds of CPU; linear between the two."""
        share = min(1.0, idle_s * 1e3 / self.gap_ms)
        return (self.warm_ms + (self.cold_ms - self.warm_ms) * share) / 1e3


@dataclass(frozen=True)
class Costs:
    # Of one request in a batch of one; a batch of n takes (1 - each + each * n) times that, times
    # the mean of n draws from `spread` (mean 1).
    worker: Cost
    each: float = 1.0
    loop: Cost = Cost()
    proxy: Cost = Cost()
    client: Cost = Cost()
    other_ms: float = 0.0  # beside the request's way: the controller, Ray, the page
    delay_ms: float = 0.0  # no CPU: wake-ups and the wire
    overlap: float = 2.0  # cores that the two threads of one replica get together, 1 to 2
    spread: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class Node:
    replicas: int
    cores: float
    max_batch: int = 4
    idle_cores: float = 0.0  # what the machine spends when nobody asks


@dataclass(frozen=True)
class Result:
    latency_ms: Floats
    seconds: float
    used_cores: float  # mean, with what is spent beside the requests
    batch: float  # mean clips a batch

    def quantile(self, share: float) -> float:
        """Milliseconds; infinite where nobody was answered."""
        return float(np.quantile(self.latency_ms, share)) if self.latency_ms.size else NEVER

    @property
    def answered_per_s(self) -> float:
        return self.latency_ms.size / self.seconds


def simulate(
    due_s: Floats, node: Node, costs: Costs, seed: int = 1, since_s: float | None = None
) -> Result:
    """Requests that arrive at `due_s` (sorted, seconds), whatever became of those before. The
    outcome is of those due from `since_s` on."""
    running = _Running(node, costs, seed)
    for moment in due_s.tolist():
        running.until(moment)
        running.arrive()
    running.until(NEVER)
    first, last = float(due_s[0]), float(due_s[-1])
    return running.outcome(first + WARM_UP * (last - first) if since_s is None else since_s, last)


def saturate(node: Node, costs: Costs, clients: int, seconds: float = 10.0) -> Result:
    """`clients` closed loops, each asking again as soon as it is answered: the capacity."""
    running = _Running(node, costs, seed=1)
    running.again_until = seconds
    for _ in range(clients):
        running.arrive()
    running.until(seconds)
    return running.outcome(WARM_UP * seconds, seconds)


@dataclass(eq=False)
class _Thread:
    cost: Cost
    batch: int = 1
    draws: Iterator[float] = field(default_factory=lambda: repeat(1.0))
    partner: "_Thread | None" = None
    # Requests, each with the share of its work that is due.
    queue: "deque[tuple[_Way, float]]" = field(default_factory=deque)
    taken: "list[tuple[_Way, float]]" = field(default_factory=list)
    left_s: float = 0.0
    speed: float = 1.0
    idle_since: float = NEVER
    batches: list[int] = field(default_factory=list)


_Way = Iterator[tuple[_Thread, float]]


class _Replica:
    def __init__(self, costs: Costs, max_batch: int, draws: Iterator[float]) -> None:
        self.loop, self.worker = _Thread(costs.loop), _Thread(costs.worker, max_batch, draws)
        self.loop.partner, self.worker.partner = self.worker, self.loop
        self.beside = _Thread(Cost(costs.other_ms, costs.other_ms))
        self.inside = 0


class _Running:
    def __init__(self, node: Node, costs: Costs, seed: int) -> None:
        assert node.cores > node.idle_cores, f"no core is left of {node}"
        self.node, self.costs = node, costs
        self.now = self.used_s = 0.0
        self.again_until = -1.0
        self.finished: list[tuple[float, float]] = []  # arrived, ended
        self.busy: list[_Thread] = []
        chosen = np.random.default_rng(seed).choice(np.array(costs.spread), DRAWS)
        draws = cycle((chosen / chosen.mean()).tolist())
        self.client, self.proxy = _Thread(costs.client), _Thread(costs.proxy)
        self.replicas = [_Replica(costs, node.max_batch, draws) for _ in range(node.replicas)]

    def arrive(self) -> None:
        self._step(self._way(self.now))

    def _way(self, arrived: float) -> _Way:
        yield self.client, IN
        yield self.proxy, IN
        self.replicas.append(self.replicas.pop(0))  # in turn among those with as many requests
        replica = min(self.replicas, key=lambda replica: replica.inside)
        replica.inside += 1
        # What the request makes others do takes their time and cores, and not its own time.
        self._step(iter([(replica.beside, 1.0)]))
        yield replica.loop, IN
        yield replica.worker, 1.0
        yield replica.loop, OUT
        yield self.proxy, OUT
        replica.inside -= 1
        yield self.client, OUT
        self.finished.append((arrived, self.now))
        if self.now < self.again_until:
            self.arrive()

    def _step(self, way: _Way) -> None:
        """On to the next thread that has something to do for the request."""
        for thread, share in way:
            if thread.cost.warm_ms or thread.cost.cold_ms:
                thread.queue.append((way, share))
                if not thread.taken:
                    self._start(thread)
                return

    def _start(self, thread: _Thread) -> None:
        count = min(thread.batch, len(thread.queue))
        thread.taken = [thread.queue.popleft() for _ in range(count)]
        thread.batches.append(count)
        drawn = sum(next(thread.draws) for _ in range(count)) / count
        longer = (1 + self.costs.each * (count - 1)) * drawn * thread.taken[0][1]
        thread.left_s = longer * thread.cost.after(max(0.0, self.now - thread.idle_since))
        self.busy.append(thread)

    def until(self, moment: float) -> None:
        while self.busy:
            self._share()
            ends, _, first = min((t.left_s / t.speed, n, t) for n, t in enumerate(self.busy))
            if self.now + ends > moment:
                break
            self._pass(ends)
            self.busy.remove(first)
            first.idle_since = self.now
            done, first.taken = first.taken, []
            if first.queue:
                self._start(first)
            for way, _ in done:
                self._step(way)
        if moment != NEVER:
            self._pass(moment - self.now)

    def _share(self) -> None:
        """The cores, among those that are busy."""
        both = self.costs.overlap / 2
        for thread in self.busy:
            thread.speed = both if thread.partner and thread.partner.taken else 1.0
        wanted = sum(thread.speed for thread in self.busy)
        cores = self.node.cores - self.node.idle_cores
        if wanted > cores:
            for thread in self.busy:
                thread.speed *= cores / wanted

    def _pass(self, passed_s: float) -> None:
        for thread in self.busy:
            thread.left_s -= passed_s * thread.speed
            self.used_s += passed_s * thread.speed
        self.now += passed_s

    def outcome(self, since: float, to: float) -> Result:
        """Of those that arrived in the time, or ended in it where they wait for each other."""
        rows = np.array(self.finished).reshape(-1, 2)
        moments = rows[:, 1 if self.again_until > 0 else 0]
        kept = rows[(moments >= since) & (moments <= to)]
        batches = [count for replica in self.replicas for count in replica.worker.batches]
        return Result(
            latency_ms=(kept[:, 1] - kept[:, 0]) * 1e3 + self.costs.delay_ms,
            seconds=max(1e-9, to - since),
            used_cores=self.used_s / max(1e-9, self.now) + self.node.idle_cores,
            batch=sum(batches) / max(1, len(batches)),
        )
