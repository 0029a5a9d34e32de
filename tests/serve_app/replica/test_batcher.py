"""Jobs of many callers, worked on together: each gets its own answer, and everybody a turn."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from serve_app.replica.batcher import Batcher, Turns


def with_batcher(
    work: Callable[[list[int]], list[int | Exception]],
    use: Callable[[Batcher[int, int]], Awaitable[None]],
    max_size: int = 4,
    measured: Callable[[float], None] = lambda job_s: None,
) -> None:
    async def run() -> None:
        await use(Batcher(work, max_size, measured=measured))

    asyncio.run(asyncio.wait_for(run(), 20))


class Gate:
    """Work that waits until the test lets it go, so that jobs pile up behind the first."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.open = threading.Event()

    def __call__(self, jobs: list[int]) -> list[int | Exception]:
        self.batches.append(jobs)
        self.begun.set()
        assert self.open.wait(20)
        return [job * 10 for job in jobs]


async def started(gate: Gate) -> None:
    await asyncio.to_thread(gate.begun.wait, 20)


def test_everybody_gets_his_own_answer() -> None:
    async def use(batcher: Batcher[int, int]) -> None:
        found = await asyncio.gather(*(batcher.ask(str(i % 7), i) for i in range(100)))
        assert found == [i * 10 for i in range(100)]
        assert batcher.counts.answered == 100

    with_batcher(lambda jobs: [job * 10 for job in jobs], use)


def test_what_waits_is_taken_together_but_never_more_than_the_batch() -> None:
    gate = Gate()

    async def use(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.ask("a", 0))
        await started(gate)
        others = [asyncio.create_task(batcher.ask("a", i)) for i in range(1, 8)]
        await asyncio.sleep(0)
        assert batcher.waiting == 7
        gate.open.set()
        await asyncio.gather(first, *others)
        assert gate.batches == [[0], [1, 2, 3, 4], [5, 6, 7]]

    with_batcher(gate, use)


def test_what_a_job_takes_is_told_by_full_batches_only() -> None:
    gate = Gate()
    told: list[float] = []

    async def use(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.ask("a", 0))
        await started(gate)
        others = [asyncio.create_task(batcher.ask("a", i)) for i in range(1, 5)]
        gate.open.set()
        await asyncio.gather(first, *others)
        assert [len(batch) for batch in gate.batches] == [1, 4]
        assert len(told) == 1

    with_batcher(gate, use, measured=told.append)


def test_a_batch_in_which_jobs_failed_tells_nothing_about_time() -> None:
    told: list[float] = []

    async def use(batcher: Batcher[int, int]) -> None:
        with pytest.raises(ValueError, match="damaged"):
            await batcher.ask("a", 1)

    with_batcher(lambda jobs: [ValueError("damaged")], use, max_size=1, measured=told.append)
    assert told == []


def test_a_job_that_fails_fails_alone() -> None:
    async def use(batcher: Batcher[int, int]) -> None:
        found = await asyncio.gather(
            *(batcher.ask("a", i) for i in range(6)), return_exceptions=True
        )
        assert [isinstance(answer, ValueError) for answer in found] == [i == 3 for i in range(6)]

    with_batcher(lambda jobs: [ValueError("3") if job == 3 else job for job in jobs], use)


def test_work_that_raises_is_told_to_all_of_its_batch_and_the_next_goes_on() -> None:
    def work(jobs: list[int]) -> list[int | Exception]:
        if 0 in jobs:
            raise ValueError("broken")
        return list(jobs)

    async def use(batcher: Batcher[int, int]) -> None:
        with pytest.raises(ValueError, match="broken"):
            await batcher.ask("a", 0)
        assert await batcher.ask("a", 1) == 1

    with_batcher(work, use)


def test_a_job_that_nobody_awaits_any_more_is_not_worked_on() -> None:
    gate = Gate()

    async def use(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.ask("a", 0))
        await started(gate)
        given_up, kept = (asyncio.create_task(batcher.ask("a", i)) for i in (1, 2))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(first, kept)
        assert gate.batches == [[0], [2]]

    with_batcher(gate, use)


def test_one_who_floods_the_queue_waits_behind_himself() -> None:
    turns: Turns[str] = Turns()
    for i in range(5):
        turns.put("greedy", f"g{i}")
    turns.put("modest", "m0")
    turns.put("other", "o0")
    assert turns.take(3) == ["g0", "m0", "o0"]
    assert turns.take(9) == ["g1", "g2", "g3", "g4"]
    assert turns.size == 0


def test_a_batch_waits_for_company_where_it_is_told_to() -> None:
    turns: Turns[int] = Turns()
    turns.put("a", 1)
    later = threading.Timer(0.05, turns.put, ("a", 2))
    later.start()
    assert turns.take(2, wait_s=20) == [1, 2]
