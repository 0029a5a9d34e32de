"""Sends live sound over a WebSocket, and yields what is said of it while it is sent.

Where the replica that hears it goes away, another one hears what follows, from its next block on:
the moments that are told go on as those of all the sound. Opus cannot begin in the middle.

httpx has no WebSocket: this alone needs the package `websockets`, the client's extra `live`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from .analysis_answers import StreamAnswer, StreamFormat, StreamStart
from .answers import Problem
from .connection import Connection, ServiceAway, ServiceError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection as AsyncClientConnection
    from websockets.sync.client import ClientConnection

SENT_S = 1.0  # for the sender to notice that its last word has arrived
REPLICA_ENDED = 1012  # "service restart", in IANA's registry of WebSocket close codes

ANSWERS: TypeAdapter[StreamAnswer] = TypeAdapter(StreamAnswer)


def stream(
    link: Connection, domain: str, blocks: Iterable[bytes], start: StreamStart
) -> Iterator[StreamAnswer]:
    """`blocks` are taken in a thread of their own; what they raise is raised behind the last
    answer. Raises ServiceError."""
    url, taken = _url(link, domain), _Taken(start.sample_rate_hz or 1)
    sound = taken.counted(blocks)
    while True:
        before_s, heard = taken.seconds, False
        try:
            for answer in _through_one(link, url, sound, start):
                heard = True
                yield _later(answer, before_s)
            return
        except _ReplicaEnded:
            if not heard or start.format != "pcm16":
                raise


def _through_one(
    link: Connection, url: str, blocks: Iterable[bytes], start: StreamStart
) -> Iterator[StreamAnswer]:
    """One connection, and so one replica. Raises ServiceError."""
    from websockets.sync.client import connect

    with (
        _in_words(url),
        ThreadPoolExecutor(1) as sender,
        connect(url, proxy=None, open_timeout=link.timeout_s) as socket,
    ):
        socket.send(start.model_dump_json())
        sending = sender.submit(_send, socket, blocks)
        for text in socket:
            yield _answer(text)
    sending.result()  # here, where an OSError is not taken for the service's


async def stream_async(
    link: Connection, domain: str, blocks: AsyncIterable[bytes], start: StreamStart
) -> AsyncGenerator[StreamAnswer, None]:
    """As `stream`; `blocks` are taken in a task of their own."""
    url, taken = _url(link, domain), _Taken(start.sample_rate_hz or 1)
    sound = taken.counted_async(blocks)
    while True:
        before_s, heard = taken.seconds, False
        try:
            async with aclosing(_through_one_async(link, url, sound, start)) as answers:
                async for answer in answers:
                    heard = True
                    yield _later(answer, before_s)
            return
        except _ReplicaEnded:
            if not heard or start.format != "pcm16":
                raise


async def _through_one_async(
    link: Connection, url: str, blocks: AsyncIterable[bytes], start: StreamStart
) -> AsyncGenerator[StreamAnswer, None]:
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosedError

    with _in_words(url):
        async with connect(url, proxy=None, open_timeout=link.timeout_s) as socket:
            await socket.send(start.model_dump_json())
            sending = asyncio.create_task(_send_async(socket, blocks))
            try:
                async for text in socket:
                    yield _answer(text)
                await asyncio.wait([sending], timeout=SENT_S)
            except ConnectionClosedError as error:
                if error.rcvd and error.rcvd.code == REPLICA_ENDED:
                    await asyncio.wait([sending])  # cancelled, it would break `blocks` off
                raise
            finally:
                sending.cancel()
    await asyncio.wait([sending])
    if not sending.cancelled():
        sending.result()


def _url(link: Connection, domain: str) -> str:
    try:
        import websockets  # noqa: F401
    except ImportError:
        raise ServiceError("live sound needs the package websockets, which is missing") from None
    return f"{link.url.rstrip('/')}/{domain}/stream".replace("http", "ws", 1)


def begun(link: Connection, sample_rate_hz: int | None, format: StreamFormat) -> StreamStart:
    """Raises ServiceError for a start that the service would refuse."""
    try:
        return StreamStart(sample_rate_hz=sample_rate_hz, format=format, key=link.key)
    except ValidationError as error:
        first = error.errors()[0]
        raise ServiceError(": ".join([*map(str, first["loc"]), first["msg"]])) from None


class _ReplicaEnded(ServiceError):
    """Another one may go on."""


@dataclass
class _Taken:
    """How much of a sound of 16-bit samples has been taken to be sent."""

    rate_hz: int
    size: int = 0

    @property
    def seconds(self) -> float:
        return self.size / 2 / self.rate_hz

    def counted(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.size += len(block)
            yield block

    async def counted_async(self, blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        async for block in blocks:
            self.size += len(block)
            yield block


def _later(answer: StreamAnswer, by_s: float) -> StreamAnswer:
    moments = {"start_s", "end_s", "peak_s"} & type(answer).model_fields.keys()
    return answer.model_copy(update={name: getattr(answer, name) + by_s for name in moments})


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    from websockets.exceptions import ConnectionClosedError, WebSocketException

    try:
        yield
    except ConnectionClosedError as error:
        if error.rcvd is None:
            raise ServiceAway(f"{url} ended in the middle of the stream ({error})") from error
        words = error.rcvd.reason or "without a reason"
        kind = _ReplicaEnded if error.rcvd.code == REPLICA_ENDED else ServiceError
        raise kind(f"the stream was ended: {words} ({error.rcvd.code})") from error
    except (OSError, WebSocketException) as error:
        raise ServiceAway(f"{url} does not answer ({error})") from error


def _send(socket: "ClientConnection", blocks: Iterable[bytes]) -> None:
    from websockets.exceptions import ConnectionClosed

    with suppress(ConnectionClosed):  # whoever reads the answers is told why
        try:
            for block in blocks:
                socket.send(block)
        finally:
            socket.send("end")


async def _send_async(socket: "AsyncClientConnection", blocks: AsyncIterable[bytes]) -> None:
    from websockets.exceptions import ConnectionClosed

    with suppress(ConnectionClosed):
        try:
            async for block in blocks:
                await socket.send(block)
        finally:
            await socket.send("end")


def _answer(text: str | bytes) -> StreamAnswer:
    body = json.loads(text)
    if body["type"] == "error":
        problem = Problem.model_validate(body)
        raise ServiceError(problem.detail, problem.status, problem.request_id)
    return ANSWERS.validate_python(body)
