"""message_limit.py, in the server that Ray starts."""

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.websockets import auto
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from serve_app.cluster.ray_internals.message_limit import limit_messages
from support.local_server import Server


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


def test_a_message_that_is_too_long_ends_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto, "AutoWebSocketsProtocol", auto.AutoWebSocketsProtocol)
    limit_messages(1_000)
    with Server(echo) as url, connect(url.replace("http", "ws"), proxy=None) as socket:
        socket.send(bytes(1_000))
        assert socket.recv() == bytes(1_000)
        socket.send(bytes(1_001))
        with pytest.raises(ConnectionClosedError) as ended:
            socket.recv()
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1009
