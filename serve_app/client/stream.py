"""Sends live sound over a WebSocket, and yields what is said of it while it is sent.

Where the replica that hears it ends, another one hears what follows. It says `ready` again; what
was on its way is lost, and an event that had begun is never told as ended. The moments that are
told go on as those of all the sound. Opus cannot begin in the middle. Nor is a service followed
that does not answer ENDINGS times.

httpx has no WebSocket: this alone needs the package `websockets`, the client's extra `live`.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .analysis_answers import StreamAnswer, StreamFormat, StreamStart
from .answers import Problem
from .connection import Connection, ServiceAway, ServiceError

SENT_S = 1.0  # for the sender to notice that its last word has arrived
SAMPLE_BYTES = 2
ENDINGS, PAUSE_S = 3, 0.2  # connections without an answer, one after the other; before each
HELD_S = 2.0  # what is to be sent, for another connection
REPLICA_ENDED = 1012  # "service restart", in IANA's registry of WebSocket close codes

ANSWERS: TypeAdapter[StreamAnswer] = TypeAdapter(StreamAnswer)


def stream(
    link: Connection, domain: str, blocks: Iterable[bytes], start: StreamStart
) -> Iterator[StreamAnswer]:
    """`blocks` are taken in a thread of their own; what they raise is raised behind the last
    answer. Raises ServiceError."""
    url, sound = _url(link, domain), _Sound(start)
    from websockets.sync.client import connect

    with ThreadPoolExecutor(1) as thread, sound.to_its_end():
        sending: Future[None] | None = None
        while True:
            try:
                with (
                    _in_words(url),
                    connect(url, proxy=None, open_timeout=link.timeout_s) as socket,
                ):
                    socket.send(start.model_dump_json())
                    sound.goes_to(socket)
                    sending = sending or thread.submit(_send, sound, blocks)
                    for text in socket:
                        yield sound.placed(_answer(text))
                break
            except (_ReplicaEnded, ServiceAway):
                if sound.has_ended and sending:
                    sending.result()
                if not sending or not sound.may_go_on():
                    raise
            time.sleep(sound.pause_s)
    sending.result()  # here, where an OSError is not taken for the service's


async def stream_async(
    link: Connection, domain: str, blocks: AsyncIterable[bytes], start: StreamStart
) -> AsyncGenerator[StreamAnswer, None]:
    """As `stream`; `blocks` are taken in a task of their own."""
    url, sound = _url(link, domain), _Sound(start)
    from websockets.asyncio.client import connect

    sending: asyncio.Task[None] | None = None
    try:
        while True:
            try:
                with _in_words(url):
                    async with connect(url, proxy=None, open_timeout=link.timeout_s) as socket:
                        await socket.send(start.model_dump_json())
                        sound.goes_to(socket)
                        sending = sending or asyncio.create_task(_send_async(sound, blocks))
                        async for text in socket:
                            yield sound.placed(_answer(text))
                        await asyncio.wait([sending], timeout=SENT_S)
                break
            except (_ReplicaEnded, ServiceAway):
                if sound.has_ended and sending:
                    await sending
                if not sending or not sound.may_go_on():
                    raise
            await asyncio.sleep(sound.pause_s)
    finally:
        if sending:
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


class _Sound:
    """The sound on its way: to which connection, from which moment on. A block that meets none is
    lost, but counts: moments stay those of all the sound."""

    def __init__(self, start: StreamStart) -> None:
        self._start = start
        self._socket: Any = None
        self._lock = threading.Lock()
        self._size = self._begins = 0  # bytes that were taken, and those before this connection
        self._has_answered = False  # this connection
        self._unanswered = 0  # connections, one after the other
        self.has_ended = False
        self.is_over = False  # nobody reads the answers any more

    def goes_to(self, socket: Any) -> None:
        """Raises _ReplicaEnded where it has ended: its last answers are lost."""
        with self._lock:
            if self.has_ended:
                raise _ReplicaEnded("the replica ended with the last of the sound; send it again")
            self._socket, self._begins = socket, self._size + self._size % SAMPLE_BYTES
        self._has_answered = False

    def take(self, block: bytes) -> tuple[bytes, Any]:
        """What is to be sent of it, from its first whole sample on, and to which connection."""
        with self._lock:
            rest = block[max(0, self._begins - self._size) :]
            self._size += len(block)
            return rest, self._socket

    def waits(self, behind: Any) -> Iterator[float]:
        """Seconds to wait, again and again, until there is another connection than that."""
        until = time.monotonic() + HELD_S
        while self._socket is behind and not self.is_over and time.monotonic() < until:
            yield 0.02

    def end(self) -> Any:
        """The connection to tell."""
        with self._lock:
            self.has_ended = True
            return self._socket

    def placed(self, answer: StreamAnswer) -> StreamAnswer:
        moments = {"start_s", "end_s", "peak_s"} & type(answer).model_fields.keys()
        if moments:
            self._has_answered, self._unanswered = True, 0
        by_s = self._begins / SAMPLE_BYTES / (self._start.sample_rate_hz or 1)
        return answer.model_copy(update={name: getattr(answer, name) + by_s for name in moments})

    def may_go_on(self) -> bool:
        self._unanswered += not self._has_answered
        self._has_answered = False
        can_follow = self._start.format == "pcm16" and not self.has_ended
        return can_follow and self._unanswered < ENDINGS

    @property
    def pause_s(self) -> float:
        return PAUSE_S * self._unanswered

    @contextmanager
    def to_its_end(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.is_over = True


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


def _send(sound: _Sound, blocks: Iterable[bytes]) -> None:
    from websockets.exceptions import ConnectionClosed

    try:
        for block in blocks:
            if sound.is_over:
                return
            rest, socket = sound.take(block)
            try:
                socket.send(rest)
            except ConnectionClosed:  # whoever reads the answers is told why
                for pause_s in sound.waits(socket):
                    time.sleep(pause_s)
    finally:
        with suppress(ConnectionClosed):
            sound.end().send("end")


async def _send_async(sound: _Sound, blocks: AsyncIterable[bytes]) -> None:
    from websockets.exceptions import ConnectionClosed

    try:
        async for block in blocks:
            rest, socket = sound.take(block)
            try:
                await socket.send(rest)
                await asyncio.sleep(0)  # `blocks` may never wait, and send only where it must
            except ConnectionClosed:
                for pause_s in sound.waits(socket):
                    await asyncio.sleep(pause_s)
    finally:
        with suppress(ConnectionClosed):
            await sound.end().send("end")


def _answer(text: str | bytes) -> StreamAnswer:
    body = json.loads(text)
    if body["type"] == "error":
        problem = Problem.model_validate(body)
        raise ServiceError(problem.detail, problem.status, problem.request_id)
    return ANSWERS.validate_python(body)
