"""Many callers, one thread: whatever waits is worked on together, and answered together.

The trick is how little happens on the event loop: it leaves a job and sleeps, and one wake-up
brings the answers of a whole batch. One thread and not a pool, because numpy and ONNX Runtime
on a replica's one core only get in each other's way. Callers take turns: one who floods the
replica waits behind himself, not in front of everybody.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")
Found = TypeVar("Found")

Work = Callable[[list[Job]], Sequence[Found | Exception]]


@dataclass(frozen=True, slots=True)
class Ticket(Generic[Job, Found]):
    job: Job
    answer: "asyncio.Future[Found]"


@dataclass
class Counts:
    """What a batcher has done so far."""

    answered: int = 0
    batches: int = 0
    busy_s: float = 0.0


class Batcher(Generic[Job, Found]):
    """`work` gets up to `max_size` jobs and gives a result, or an exception, for each.

    `measured` is told, on the event loop, a job's part of the seconds of each full batch: what
    each takes when many wait. A batch of one may take as long as a full one, and one in which
    jobs failed as good as nothing.
    """

    def __init__(
        self,
        work: Work[Job, Found],
        max_size: int,
        wait_s: float = 0.0,
        measured: Callable[[float], None] = lambda job_s: None,
    ) -> None:
        self._work = work
        self._measured = measured
        self._max_size = max_size
        self._wait_s = wait_s
        self._queue: Turns[Ticket[Job, Found]] = Turns()
        self._loop = asyncio.get_running_loop()
        self.counts = Counts()
        threading.Thread(target=self._run, name="batcher", daemon=True).start()

    @property
    def waiting(self) -> int:
        return self._queue.size

    async def ask(self, caller: str, job: Job) -> Found:
        """Raises what `work` found wrong with this job. A job whose task was cancelled is left
        out."""
        answer: asyncio.Future[Found] = self._loop.create_future()
        self._queue.put(caller, Ticket(job, answer))
        return await answer

    def _run(self) -> None:
        while True:
            tickets = self._queue.take(self._max_size, self._wait_s)
            tickets = [ticket for ticket in tickets if not ticket.answer.done()]
            if not tickets:
                continue
            started = time.perf_counter()
            found = self._attempt([ticket.job for ticket in tickets])
            seconds = time.perf_counter() - started
            self.counts.busy_s += seconds
            self.counts.answered += len(tickets)
            self.counts.batches += 1
            try:
                self._loop.call_soon_threadsafe(self._deliver, tickets, found, seconds)
            except RuntimeError:  # the loop has closed: the replica has stopped
                return

    def _attempt(self, jobs: list[Job]) -> Sequence[Found | Exception]:
        try:
            return self._work(jobs)
        except Exception as error:
            return [error] * len(jobs)

    def _deliver(
        self,
        tickets: Sequence[Ticket[Job, Found]],
        found: Sequence[Found | Exception],
        seconds: float,
    ) -> None:
        failed = 0
        for ticket, result in zip(tickets, found, strict=True):
            if isinstance(result, Exception):
                failed += 1
                if not ticket.answer.done():
                    ticket.answer.set_exception(result)
            elif not ticket.answer.done():
                ticket.answer.set_result(result)
        if len(tickets) == self._max_size and not failed:
            self._measured(seconds / len(tickets))


@dataclass
class Turns(Generic[Job]):
    """A queue between threads in which callers take turns, each with his jobs in order."""

    size: int = 0
    _lanes: dict[str, deque[Job]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, caller: str, job: Job) -> None:
        with self._changed:
            self._lanes.setdefault(caller, deque()).append(job)
            self.size += 1
            self._changed.notify()

    def take(self, most: int, wait_s: float = 0.0) -> list[Job]:
        """Sleeps until there is a job, then at most `wait_s` for more to come."""
        with self._changed:
            self._changed.wait_for(lambda: self.size)
            if wait_s > 0:
                self._changed.wait_for(lambda: self.size >= most, wait_s)
            return [self._next() for _ in range(min(most, self.size))]

    def _next(self) -> Job:
        caller, lane = next(iter(self._lanes.items()))
        job = lane.popleft()
        del self._lanes[caller]
        if lane:  # back to the end of the row
            self._lanes[caller] = lane
        self.size -= 1
        return job
