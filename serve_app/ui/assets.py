"""Gradio's own files, out of memory as they are sent, and its page compressed.

Gradio would read each file for each browser, by a thread, and compress it anew, which for the sixty
of a page takes longer than all the rest of it; the page itself it sends as it is, 0.2 MB.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FILES = re.compile(r"/(?:(assets/.+)|static/.+|theme\.css)")  # the first are named by content
ENCODINGS = ("br", "gzip")
FOR_GOOD, FOR_AN_HOUR = "public, max-age=31536000, immutable", "public, max-age=3600"
MOST_BYTES = 16 * 1024**2
LARGE_BYTES = 2 * 1024**2  # Gradio has a file of 31 MB, which the page never asks for


class Assets:
    """ASGI middleware; behind the guard, which says what may be asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressed = GZipMiddleware(app, compresslevel=4)
        self._kept: dict[tuple[object, ...], list[Message]] = {}
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return await self._app(scope, receive, send)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path in {"", "/"}:
            return await self._compressed(scope, receive, send)
        found, headers = FILES.fullmatch(path), Headers(scope=scope)
        if not found or "range" in headers:
            return await self._app(scope, receive, send)
        accepted = headers.get("accept-encoding", "")
        key = (path, *(encoding in accepted for encoding in ENCODINGS))
        whole = self._kept.get(key)
        if whole is None:
            messages: list[Message] = []
            is_large = False

            async def noted(message: Message) -> None:
                nonlocal is_large
                if message["type"] == "http.response.start":
                    length = Headers(raw=message["headers"]).get("content-length", "0")
                    is_large = int(length) > LARGE_BYTES
                if is_large:
                    await send(message)
                else:
                    messages.append(message)

            await self._app(scope, receive, noted)
            if is_large:
                return
            whole = _whole(messages, FOR_GOOD if found[1] else FOR_AN_HOUR)
            self._keep(key, whole)
        for message in whole:
            await send(message)

    def _keep(self, key: tuple[object, ...], whole: list[Message]) -> None:
        start, body = whole
        size = len(body["body"])
        if start["status"] == 200 and self._bytes + size <= MOST_BYTES:
            self._kept[key] = whole
            self._bytes += size


def _whole(messages: list[Message], kept: str) -> list[Message]:
    """A start, and all of the body."""
    start, *parts = messages
    body = b"".join(part.get("body", b"") for part in parts)
    if start["status"] == 200:
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["content-length"] = str(len(body))
        headers["cache-control"] = kept
        start = {**start, "headers": headers.raw}
    return [start, {"type": "http.response.body", "body": body}]
