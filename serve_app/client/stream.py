"""Sends live sound over a WebSocket, and yields what is said of it while it is sent.

httpx has no WebSocket: this alone needs the package `websockets`, the client's extra `live`.
"""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from .analysis_answers import StreamAnswer, StreamStart
from .answers import Problem
from .connection import Connection, ServiceAway, ServiceError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

ANSWERS: TypeAdapter[StreamAnswer] = TypeAdapter(StreamAnswer)


def stream(
    link: Connection, domain: str, blocks: Iterable[bytes], sample_rate_hz: int
) -> Iterator[StreamAnswer]:
    """`blocks` are taken in a thread of their own; what they raise is raised behind the last
    answer. Raises ServiceError."""
    try:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect
    except ImportError:
        raise ServiceError("live sound needs the package websockets, which is missing") from None
    url = f"{link.url.rstrip('/')}/{domain}/stream".replace("http", "ws", 1)
    start = StreamStart(sample_rate_hz=sample_rate_hz, key=link.key)
    try:
        with (
            ThreadPoolExecutor(1) as sender,
            connect(url, proxy=None, open_timeout=link.timeout_s) as socket,
        ):
            socket.send(start.model_dump_json())
            sending = sender.submit(_send, socket, blocks)
            for text in socket:
                yield _answer(text)
    except (OSError, WebSocketException) as error:
        raise ServiceAway(f"{url} does not answer ({error})") from error
    sending.result()  # here, where an OSError is not taken for the service's


def _send(socket: "ClientConnection", blocks: Iterable[bytes]) -> None:
    from websockets.exceptions import ConnectionClosed

    with suppress(ConnectionClosed):  # whoever reads the answers is told why
        try:
            for block in blocks:
                socket.send(block)
        finally:
            socket.send("end")


def _answer(text: str | bytes) -> StreamAnswer:
    body = json.loads(text)
    if body["type"] == "error":
        problem = Problem.model_validate(body)
        raise ServiceError(problem.detail, problem.status, problem.request_id)
    return ANSWERS.validate_python(body)
