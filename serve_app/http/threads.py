"""Slow work in threads of its own kind, so that none waits for work of another kind.

The threads of `asyncio.to_thread` are few and belong to what is on the way of an answer. A database
that is locked holds up its writers alone; readers never wait for those, and here neither do their
threads. A bound on the calls that wait keeps one that hangs from gathering all that is sent to it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from data.errors import NotReady

MOST_WAITING = 200

P = ParamSpec("P")
T = TypeVar("T")


class BoundedThreadPool:
    """Not safe between threads: calls are made on the event loop of the process."""

    def __init__(self, what: str, threads: int) -> None:
        self._what = what
        self._threads = ThreadPoolExecutor(threads, what)
        self._waiting = 0

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises; raises NotReady where too many calls wait already."""
        if self._waiting >= MOST_WAITING:
            raise NotReady(f"{self._waiting} requests wait for {self._what}; try again in a moment")
        self._waiting += 1
        try:
            call = partial(copy_context().run, work, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        finally:
            self._waiting -= 1


reading = BoundedThreadPool("the database", threads=4)
writing = BoundedThreadPool("the database to be written", threads=4)
analysing = BoundedThreadPool("recordings to be analysed", threads=1)  # behind predictions
decoding = BoundedThreadPool("clips to be decoded", threads=1)  # a large picture takes 0.3 GB
looking = BoundedThreadPool("the home to be looked at", threads=1)  # /ready waits for nothing else
storing = BoundedThreadPool("recordings to be stored", threads=2)
