"""A node as a network of queues, simulated: what its users wait, and what it carries at most.

A request passes client -> HAProxy -> a replica's event loop -> its worker, which takes up to
`max_batch` waiting clips at once -> event loop -> HAProxy -> client. Each is one thread that serves
first come, first served; HAProxy picks the replica with the fewest requests; the threads share the
cores (`sharing.py`). A thread that stood idle finds cold caches and takes longer.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.plan.sharing import NEVER, Cores, Thread
from loadtest.plan.times import Cost, Costs, Node

Floats = NDArray[np.float64]
IN_SHARE = 0.6  # of a thread's work on a request: the clip comes in, a little JSON goes out
DRAWS = 4096
WARM_UP = 0.05  # of a run, which starts from an empty node; left out
CLIENT_OUT, PROXY_IN, LOOP_IN, WORKER, LOOP_OUT, PROXY_OUT, CLIENT_IN, DONE, BESIDE = range(9)


@dataclass(frozen=True)
class Outcome:
    latency_ms: Floats  # of those answered
    refused: int
    seconds: float
    used_cores: float  # mean, with what is spent beside the requests
    batch: float  # mean clips a batch

    def quantile(self, share: float) -> float:
        """Milliseconds; infinite where nobody was answered."""
        return float(np.quantile(self.latency_ms, share)) if self.latency_ms.size else float("inf")

    @property
    def answered_per_s(self) -> float:
        return self.latency_ms.size / self.seconds


def simulate(
    due_s: Floats, node: Node, costs: Costs, seed: int = 1, since_s: float | None = None
) -> Outcome:
    """Requests that arrive at `due_s` (sorted, seconds), whatever became of those before. The
    outcome is of those due from `since_s` on."""
    running = _Running(node, costs, seed)
    for moment in due_s.tolist():
        running.until(moment)
        running.arrive()
    running.until(NEVER)
    first, last = float(due_s[0]), float(due_s[-1])
    return running.outcome(first + WARM_UP * (last - first) if since_s is None else since_s, last)


def saturate(node: Node, costs: Costs, clients: int, seconds: float = 10.0) -> Outcome:
    """`clients` closed loops, each asking again as soon as it is answered: the capacity."""
    running = _Running(node, costs, seed=1)
    running.again_until = seconds
    for _ in range(clients):
        running.arrive()
    running.until(seconds)
    return running.outcome(WARM_UP * seconds, seconds)


class _Request:
    __slots__ = ("arrived", "refused", "replica", "stage")

    def __init__(self, arrived: float) -> None:
        self.arrived = arrived
        self.stage = -1
        self.replica = 0
        self.refused = False


class _Server:
    """A thread with its queue, and the requests it is at."""

    def __init__(self, number: int, cost: Cost, batch: int = 1) -> None:
        self.thread = Thread(number)
        self.cost = cost
        self.batch = batch
        self.free = not (cost.warm_ms or cost.cold_ms)
        self.queue: deque[_Request] = deque()
        self.taken: list[_Request] = []


class _Running:
    def __init__(self, node: Node, costs: Costs, seed: int) -> None:
        assert node.cores > node.idle_cores, f"no core is left of {node}"
        self.node, self.costs = node, costs
        self.cores = Cores(node.cores - node.idle_cores, costs.overlap)
        self.again_until = -1.0
        self.finished: list[tuple[float, float]] = []  # arrived, ended
        self.refused = self.batches = self.batched = self.turn = self.drawn = 0
        self.inside = [0] * node.replicas
        self.draws = _draws(costs.spread, seed)
        self.servers: list[_Server] = []
        self.client, self.proxy = self._server(costs.client), self._server(costs.proxy)
        self.loops = [self._server(costs.loop) for _ in self.inside]
        self.beside = [self._server(Cost(costs.other_ms, costs.other_ms)) for _ in self.inside]
        self.workers = [self._server(costs.worker, node.max_batch) for _ in self.inside]
        for loop, worker in zip(self.loops, self.workers, strict=True):
            loop.thread.partner, worker.thread.partner = worker.thread, loop.thread

    def _server(self, cost: Cost, batch: int = 1) -> _Server:
        self.servers.append(_Server(len(self.servers), cost, batch))
        return self.servers[-1]

    def arrive(self) -> None:
        self._step(_Request(self.cores.now))

    def until(self, moment: float) -> None:
        while (ends := self.cores.next()) <= moment and ends != NEVER:
            self.cores.advance(ends)
            server = self.servers[self.cores.finish().number]
            done, server.taken = server.taken, []
            if server.queue:
                self._start(server)
            for request in done:
                if request.stage != BESIDE:
                    self._step(request)
        if moment != NEVER:
            self.cores.advance(moment)

    def outcome(self, since: float, to: float) -> Outcome:
        """Of those that arrived in the time, or ended in it where they wait for each other."""
        column = 1 if self.again_until > 0 else 0
        rows = np.array(self.finished).reshape(-1, 2)
        kept = rows[(rows[:, column] >= since) & (rows[:, column] <= to)]
        return Outcome(
            latency_ms=(kept[:, 1] - kept[:, 0]) * 1e3 + self.costs.delay_ms,
            refused=self.refused,
            seconds=max(1e-9, to - since),
            used_cores=self.cores.used / max(1e-9, self.cores.now) + self.node.idle_cores,
            batch=self.batched / max(1, self.batches),
        )

    def _step(self, request: _Request) -> None:
        """On to the next thread that has something to do for the request."""
        request.stage += 1
        if request.stage == LOOP_IN:
            self._route(request)
            self._beside(request)
        elif request.stage == WORKER and request.refused:
            request.stage = LOOP_OUT
        elif request.stage == CLIENT_IN and not request.refused:
            self.inside[request.replica] -= 1
        elif request.stage == DONE:
            self._leave(request)
            return
        server = self._at(request)
        if server.free:
            self._step(request)
        else:
            self._queue(server, request)

    def _queue(self, server: _Server, request: _Request) -> None:
        server.queue.append(request)
        if not server.taken:
            self._start(server)

    def _beside(self, request: _Request) -> None:
        """What the request makes others do takes their time and cores, and not its own time."""
        server = self.beside[request.replica]
        if not server.free:
            shadow = _Request(request.arrived)
            shadow.stage = BESIDE
            self._queue(server, shadow)

    def _at(self, request: _Request) -> _Server:
        if request.stage == WORKER:
            return self.workers[request.replica]
        if request.stage in (LOOP_IN, LOOP_OUT):
            return self.loops[request.replica]
        return self.proxy if request.stage in (PROXY_IN, PROXY_OUT) else self.client

    def _route(self, request: _Request) -> None:
        """The fewest requests; in turn among equals."""
        self.turn += 1
        count = len(self.inside)
        order = [(self.turn + i) % count for i in range(count)]
        request.replica = min(order, key=self.inside.__getitem__)
        request.refused = self.inside[request.replica] >= self.node.limit
        self.inside[request.replica] += not request.refused

    def _start(self, server: _Server) -> None:
        count = min(server.batch, len(server.queue))
        server.taken = [server.queue.popleft() for _ in range(count)]
        work_s = server.cost.after(max(0.0, self.cores.now - server.thread.idle_since))
        stage = server.taken[0].stage
        if stage == WORKER:
            self.batches += 1
            self.batched += count
            work_s *= (1 + self.costs.each * (count - 1)) * self._draw(count)
        elif stage != BESIDE:
            work_s *= IN_SHARE if stage <= LOOP_IN else 1 - IN_SHARE
        self.cores.start(server.thread, work_s)

    def _draw(self, count: int) -> float:
        total = 0.0
        for _ in range(count):
            self.drawn = (self.drawn + 1) % DRAWS
            total += self.draws[self.drawn]
        return total / count

    def _leave(self, request: _Request) -> None:
        if request.refused:
            self.refused += 1
        else:
            self.finished.append((request.arrived, self.cores.now))
        if self.cores.now < self.again_until:
            self.arrive()


def _draws(spread: tuple[float, ...], seed: int) -> list[float]:
    chosen = np.random.default_rng(seed).choice(np.array(spread), DRAWS)
    found: list[float] = (chosen / chosen.mean()).tolist()
    return found
