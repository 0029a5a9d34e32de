"""What each request came to: its route, its status and its seconds."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNKNOWN = "other"  # addresses without a route are anybody's to make up: they share one name


class RequestTiming:
    """Tells `note` of every request once it is answered, or its caller has gone (status 499)."""

    def __init__(self, app: ASGIApp, note: Callable[[str, int, float], None]) -> None:
        self._app = app
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 499, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        own = dict(scope)  # in which the layers below leave the route that they found
        try:
            await self._app(own, receive, sending)
        finally:
            route = getattr(own.get("route"), "path", UNKNOWN)
            self._note(route, status, time.perf_counter() - began)
