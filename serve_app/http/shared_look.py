"""What many ask for at once: looked for once, for all who wait."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedLook(Generic[T]):
    """One look at a time, and a pause from the beginning of one to the next. Whoever asks is told
    of one that began behind his question: what he did before is in it. Nobody changes what he is
    told: it is others', too."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._turn = asyncio.Lock()
        self._begun = -math.inf
        self._found: list[T] = []

    async def get(self, look: Callable[[], Awaitable[T]]) -> T:
        asked = time.monotonic()
        async with self._turn:
            if self._begun < asked or not self._found:
                self._found.clear()
                await asyncio.sleep(self._begun + self._pause_s - time.monotonic())
                self._begun = time.monotonic()
                self._found.append(await look())
            return self._found[0]
