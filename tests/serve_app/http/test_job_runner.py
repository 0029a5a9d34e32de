"""job_runner.py: no order is overlooked."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from serve_app.http.job_runner import JobRunner
from serve_app.http.replica import Replica


def test_an_order_that_comes_while_a_look_finds_nothing_is_looked_for() -> None:
    looks: list[str] = []

    async def run() -> None:
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def claim(domain: str, put_off: set[str]) -> None:
            """In a thread; the order's own look comes before the answer is back."""
            looks.append(domain)
            if len(looks) == 1:
                loop.call_soon_threadsafe(runner.look)
            else:
                loop.call_soon_threadsafe(done.set)

        jobs: Any = SimpleNamespace(claim=claim)
        service: Any = SimpleNamespace(
            store=SimpleNamespace(jobs=jobs), domain=SimpleNamespace(name="keywords")
        )
        runner = JobRunner(cast(Replica, service))
        runner.look()
        await asyncio.wait_for(done.wait(), 20)

    asyncio.run(run())
    assert looks == ["keywords", "keywords"]
