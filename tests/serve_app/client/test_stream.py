"""stream.py: what fails here is not said to be the service's fault."""

from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from serve_app.client.client import Client
from support.local_server import Server


async def listens(scope: Scope, receive: Receive, send: Send) -> None:
    """A service that takes live sound until it ends, and answers nothing."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive()).get("text") != "end":
        pass
    await send({"type": "websocket.close", "code": 1000})


def unplugged() -> Iterator[bytes]:
    yield bytes(800)
    raise OSError("the microphone is gone")


def test_a_microphone_that_fails_is_said_as_it_is() -> None:
    with (
        Server(listens) as url,
        Client(url) as client,
        pytest.raises(OSError, match="the microphone is gone"),
    ):
        list(client.stream("keywords", unplugged(), 8_000))
