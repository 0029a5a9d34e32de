"""Sends calls to the service: `Sender` waits for the answer, `AsyncSender` is awaited.

What is asked is said once, by a function that makes a `Call`; a `Method` of it is a method of both.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from copy import copy
from dataclasses import replace
from functools import wraps
from itertools import count
from typing import Any, BinaryIO, Generic, ParamSpec, Self, TypeVar, overload

import httpx

from .call import Call
from .connection import Connection, Outcome, checked

A = TypeVar("A")
P = ParamSpec("P")

PIECE_BYTES = 64 * 1024


class Caller:
    """For whom calls are made. `with_key` speaks for another one on the same connections."""

    link: Connection

    @property
    def key(self) -> str:
        return self.link.key

    def with_key(self, key: str, headers: tuple[tuple[str, str], ...] = ()) -> Self:
        """The same connections, for another caller; `headers` go with all of his requests."""
        return self._over(replace(self.link, key=key.strip(), headers=headers, patient=True))

    def without_key(self) -> Self:
        """For the same caller as far as he is known otherwise: by `headers`, say."""
        return self._over(replace(self.link, key=""))

    def impatient(self) -> Self:
        """For the same caller, raising ServiceError at once when the service is busy (429)."""
        return self._over(replace(self.link, patient=False))

    def _over(self, link: Connection) -> Self:
        other = copy(self)
        other.link = link
        return other


class Sender(Caller):
    """Safe to share between threads."""

    def __init__(self, link: Connection, pool: httpx.Client) -> None:
        self.link = link
        self._pool = pool

    def send(self, call: Call[A]) -> A:
        """Raises ServiceError, ServiceAway when nothing answers."""
        request = _request(self._pool, self.link, call, call.content)
        for attempt in count(1):
            outcome = self._once(request)
            wait_s = self.link.wait_s(outcome, attempt, call.idempotent)
            if wait_s is None or call.content:
                break
            time.sleep(wait_s)
        return call.read(self.link.answered(outcome))

    def lines(self, call: Call[Any]) -> Iterator[str]:
        """Of an answer that comes bit by bit; sent once. Raises httpx's errors as they are."""
        request = _request(self._pool, self.link, call, call.content)
        response = self._pool.send(request, stream=True)
        try:
            if response.is_error:
                response.read()
            yield from checked(response).iter_lines()
        finally:
            response.close()

    def _once(self, request: httpx.Request) -> Outcome:
        try:
            return self._pool.send(request)
        except httpx.TransportError as error:
            return error


class AsyncSender(Caller):
    """For one event loop."""

    def __init__(self, link: Connection, pool: httpx.AsyncClient) -> None:
        self.link = link
        self._pool = pool

    async def send(self, call: Call[A]) -> A:
        """Raises ServiceError, ServiceAway when nothing answers."""
        content = _pieces(call.content) if call.content else None
        request = _request(self._pool, self.link, call, content)
        for attempt in count(1):
            outcome = await self._once(request)
            wait_s = self.link.wait_s(outcome, attempt, call.idempotent)
            if wait_s is None or call.content:
                break
            await asyncio.sleep(wait_s)
        return call.read(self.link.answered(outcome))

    async def lines(self, call: Call[Any]) -> AsyncGenerator[str, None]:
        """Of an answer that comes bit by bit; sent once. Raises httpx's errors as they are."""
        content = _pieces(call.content) if call.content else None
        request = _request(self._pool, self.link, call, content)
        response = await self._pool.send(request, stream=True)
        try:
            if response.is_error:
                await response.aread()
            async for line in checked(response).aiter_lines():
                yield line
        finally:
            await response.aclose()

    async def _once(self, request: httpx.Request) -> Outcome:
        try:
            return await self._pool.send(request)
        except httpx.TransportError as error:
            return error


class Method(Generic[P, A]):
    """Makes a method of a function that describes a call."""

    def __init__(self, call: Callable[P, Call[A]]) -> None:
        self._call = call
        self.__doc__ = call.__doc__

    @overload
    def __get__(self, sender: Sender, owner: type) -> Callable[P, A]: ...

    @overload
    def __get__(
        self, sender: AsyncSender, owner: type
    ) -> Callable[P, Coroutine[None, None, A]]: ...

    @overload
    def __get__(self, sender: None, owner: type) -> Callable[P, Call[A]]: ...

    def __get__(
        self, sender: Sender | AsyncSender | None, owner: type
    ) -> Callable[P, A | Coroutine[None, None, A] | Call[A]]:
        if sender is None:
            return self._call

        @wraps(self._call)
        def ask(*args: P.args, **kwargs: P.kwargs) -> A | Coroutine[None, None, A]:
            return sender.send(self._call(*args, **kwargs))

        return ask


def _request(
    pool: httpx.Client | httpx.AsyncClient,
    link: Connection,
    call: Call[Any],
    content: BinaryIO | AsyncIterator[bytes] | None,
) -> httpx.Request:
    return pool.build_request(
        call.method,
        link.url.rstrip("/") + call.path,
        params=dict(call.params) or None,
        headers={**link.own_headers(), **call.headers},
        json=call.json,
        files=list(call.files) or None,
        data=dict(call.data) or None,
        content=content,
        timeout=httpx.Timeout(link.timeout_s, read=call.silence_s or link.timeout_s),
    )


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
