"""shared_look.py: what is asked for all at once is looked for once."""

import asyncio
import time

from serve_app.http.shared_look import SharedLook

PAUSE_S = 0.1


def test_many_who_ask_at_once_cause_one_look_that_began_behind_their_question() -> None:
    shared, begun = SharedLook[int](PAUSE_S), list[float]()

    async def look() -> int:
        begun.append(time.monotonic())
        await asyncio.sleep(0.01)
        return len(begun)

    async def ask() -> list[int]:
        first = asyncio.create_task(shared.get(look))
        await asyncio.sleep(0.005)  # a look is under way, that knows nothing of what we did
        later = await asyncio.gather(*(shared.get(look) for _ in range(50)))
        return [await first, *later]

    assert asyncio.run(ask()) == [1] + [2] * 50
    assert begun[1] - begun[0] >= PAUSE_S


def test_a_look_that_fails_fails_for_one() -> None:
    async def ask() -> None:
        async def fail() -> str:
            raise LookupError

        async def find() -> str:
            return "found"

        shared = SharedLook[str](PAUSE_S)
        failed, found = await asyncio.gather(
            shared.get(fail), shared.get(find), return_exceptions=True
        )
        assert isinstance(failed, LookupError)
        assert found == "found"

    asyncio.run(ask())
