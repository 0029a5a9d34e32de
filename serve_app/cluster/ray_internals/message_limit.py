"""Bounds the messages that a replica takes over WebSockets.

Uvicorn reads each into memory as a whole, up to 16 MiB unless it is told otherwise, before a route
sees anything of it; Ray starts it, and has no setting for that.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets import auto


def limit_messages(max_bytes: int) -> None:
    """Call before the server starts. A longer message ends its connection with code 1009."""
    protocol = auto.AutoWebSocketsProtocol
    assert protocol is not None, "there is no package that speaks WebSocket"

    def limited(config: Config, **given: Any) -> asyncio.Protocol:
        config.ws_max_size = max_bytes
        return protocol(config=config, **given)

    auto.AutoWebSocketsProtocol = limited
