"""shared_look.py: what is asked for all at once is looked for once."""

import asyncio
import time

from serve_app.replica.shared_look import PAUSE_S, SharedLook


def test_many_who_ask_at_once_cause_one_look_that_began_behind_their_question() -> None:
    begun: list[float] = []

    async def look() -> int:
        begun.append(time.monotonic())
        await asyncio.sleep(0.02)
        return len(begun)

    async def ask() -> list[int]:
        shared = SharedLook[int]()
        first = asyncio.create_task(shared.get(look))
        await asyncio.sleep(0.01)  # a look is under way, that knows nothing of what we did
        later = await asyncio.gather(*(shared.get(look) for _ in range(50)))
        return [await first, *later]

    assert asyncio.run(ask()) == [1] + [2] * 50
    assert begun[1] - begun[0] >= PAUSE_S


def test_a_failure_is_told_to_all_who_waited_and_then_looked_behind() -> None:
    """One after another they would wait for whatever hangs as often as they are many."""
    looks: list[str] = []

    async def look() -> str:
        looks.append("look")
        await asyncio.sleep(0.01)
        if len(looks) == 1:
            raise TimeoutError
        return "found"

    async def ask() -> None:
        shared = SharedLook[str]()
        failed = await asyncio.gather(*(shared.get(look) for _ in range(9)), return_exceptions=True)
        assert {type(one) for one in failed} == {TimeoutError}
        assert await shared.get(look) == "found"
        assert len(looks) == 2

    asyncio.run(ask())


def test_who_leaves_takes_nobody_elses_look_with_him() -> None:
    async def look() -> str:
        await asyncio.sleep(0.02)
        return "found"

    async def ask() -> str:
        shared = SharedLook[str]()
        leaving, staying = (asyncio.create_task(shared.get(look)) for _ in range(2))
        await asyncio.sleep(0.01)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()) == "found"
