"""What many ask for at once: looked for once, for all who wait."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PAUSE_S = 0.2


class SharedLook(Generic[T]):
    """One look at a time, and PAUSE_S from the beginning of one to the next. Whoever asks is told
    of one that began behind his question, what he did before is in it; or of its failure. Nobody
    changes what he is told: it is others', too."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._begun = -math.inf
        self._found: T | Exception = LookupError("nobody has looked yet")

    async def get(self, look: Callable[[], Awaitable[T]]) -> T:
        asked = time.monotonic()
        async with self._turn:
            if self._begun < asked:
                await asyncio.sleep(self._begun + PAUSE_S - time.monotonic())
                begun = time.monotonic()
                try:
                    self._found = await look()
                except Exception as error:
                    self._found = error
                self._begun = begun  # not of one that was cancelled with who asked for it
            if isinstance(self._found, Exception):
                raise self._found
            return self._found
