"""What may be asked of Gradio: what the page itself asks, about files that were uploaded to it.

Gradio has more routes than the page uses; some read a file or fetch an address for whoever names
one. What is not listed here is therefore not there. A file that an event names must be one of the
upload folder, whatever else Gradio would accept: an address, a pipe, a folder.
"""

import asyncio
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data.store.disk import fullest
from serve_app.settings import NOT_PASSED, passed_by_haproxy
from serve_app.ui.upload_room import CLEAR_EACH_S, UploadRoom, by_part, clear

UPLOAD = "/gradio_api/upload"
RUN = "/gradio_api/run/predict"
EVENTS = {f"/gradio_api/{name}" for name in ("queue/join", "run/predict", "cancel", "reset")}
FILE = "/gradio_api/file="
READ = re.compile(
    r"/|/(standing|config|theme\.css|manifest\.json|favicon\.ico|(assets|static|svelte|js)/.+)|/gradio_api/"
    r"(info|app_id|upload_progress|queue/(data|status)|heartbeat/\w+|file=.+)/?"
)
MAX_EVENT_BYTES = 64 * 1024  # what was chosen and typed; files come by uploads
MAX_FILES = 120  # of one event or upload: clips with their masks (static/add.js)
NO_LIMIT: AbstractAsyncContextManager[None] = nullcontext()
RUN_AT_ONCE = 24  # events without a queue, which would take all threads of the page
MAX_AT_ONCE = 60  # requests of one address, of the 200 that Serve lets in; each page holds two
UPLOAD_PATIENCE_S = 600.0
MAX_UPLOAD_BYTES = 256 * 1024**2  # long recordings; of clips the service words the limit
# Neither framed by other pages nor sent anywhere else: the admin's key is kept in its session.
POLICY = (
    b"content-security-policy",
    b"frame-ancestors 'none'; base-uri 'self'; object-src 'none'; form-action 'self'",
)


class Guard:
    """ASGI middleware in front of Gradio; `uploads` is its upload folder. With a `token` only what
    HAProxy has passed on is answered: at the page's own port anybody could say which address he
    asks from, and slowly."""

    def __init__(self, app: ASGIApp, uploads: Path, token: str = "") -> None:
        self._app = app
        self._passed = passed_by_haproxy(token)
        self._uploads = uploads.resolve()
        self._room = UploadRoom()
        self._cleared_s = time.monotonic()
        self._at_once: Counter[str] = Counter()
        self._running = asyncio.Semaphore(RUN_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        address = _address(scope)
        self._at_once[address] += 1
        try:
            await self._answer(scope, receive, _with_policy(send))
        finally:
            self._at_once[address] -= 1
            if not self._at_once[address]:
                del self._at_once[address]

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: tuple[int, str] | None = (404, "there is nothing here")
        patience_s: float | None = None
        path = unquote(scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/") or "/")
        if self._passed and self._passed not in scope["headers"]:
            refused = 403, NOT_PASSED
        elif self._at_once[_address(scope)] > MAX_AT_ONCE:
            refused = 429, "too many requests at once from your address"
        elif scope["method"] in {"GET", "HEAD"} and READ.fullmatch(path):
            refused = None if self._may_read(path) else refused
        elif scope["method"] == "POST" and path == UPLOAD:
            patience_s = UPLOAD_PATIENCE_S
            refused, receive = await self._upload(Request(scope, receive))
        elif scope["method"] == "POST" and path in EVENTS:
            refused, receive = await self._event(Request(scope, receive), path)
        if refused is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s), self._running if path == RUN else NO_LIMIT:
                    await self._app(scope, receive, send)
            return
        status, words = refused
        headers = {"Retry-After": "60"} if status in {429, 503} else {}
        await PlainTextResponse(words, status, headers)(scope, receive, send)

    def _may_read(self, path: str) -> bool:
        return not path.startswith(FILE) or self._uploaded(path.removeprefix(FILE))

    async def _event(self, request: Request, path: str) -> tuple[tuple[int, str] | None, Receive]:
        """Why an event is refused, if it is, and its body to be read once more. One without a
        session would have Gradio make one of its own kind, by a tenth of a second of the loop."""
        body = bytearray()
        with suppress(ClientDisconnect):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_EVENT_BYTES:
                    return (413, f"at most {MAX_EVENT_BYTES:,} bytes are read"), _again(b"")
        again = _again(bytes(body))
        try:
            told = json.loads(body)  # as FastAPI reads it, of equal names the last
            paths = list(_paths(told))
        except (ValueError, RecursionError):
            return (400, "the body is not JSON"), again
        if len(paths) > MAX_FILES or not all(self._uploaded(path) for path in paths):
            return (400, "a file must be uploaded to the page before it is asked about"), again
        if path == RUN and not (isinstance(told, dict) and told.get("session_hash")):
            return (400, "an event says of which page it is: session_hash"), again
        return None, again

    def _uploaded(self, path: object) -> bool:
        if not isinstance(path, str) or "\0" in path:
            return False
        real = Path(os.path.realpath(path))
        return Path(path).is_absolute() and real.is_relative_to(self._uploads) and real.is_file()

    async def _upload(self, request: Request) -> tuple[tuple[int, str] | None, Receive]:
        """Why an upload is refused, if it is, and its body, whose files are counted."""
        announced = request.headers.get("content-length", "")
        if not announced.isascii() or not announced.isdigit() or len(announced) > 15:
            return (411, "an upload says how long it is (Content-Length)"), request.receive
        size, address = int(announced), _address(request.scope)
        if size > MAX_UPLOAD_BYTES:
            words = f"at most {MAX_UPLOAD_BYTES // 1024**2} MB are taken at once"
            return (413, words), request.receive
        await self._clear()
        disk = await asyncio.to_thread(fullest, [self._uploads])
        if disk is None or disk.spare_bytes < size:
            return (503, "the disk is nearly full; tell an admin"), request.receive
        if self._room.refuses(address, size):
            words = "much was uploaded within the hour; try again later, or use the API"
            return (429, words), request.receive
        self._room.take(address, size)
        return None, by_part(request, address, size, self._room, MAX_FILES)

    async def _clear(self) -> None:
        if time.monotonic() - self._cleared_s > CLEAR_EACH_S:
            self._cleared_s = time.monotonic()
            await asyncio.to_thread(clear, self._uploads)


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _with_policy(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), POLICY]}
        await send(message)

    return sending


def _paths(value: Any) -> Iterator[object]:
    """What every dictionary in it calls its path: Gradio's own sign of a file."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            if "path" in found:
                yield found["path"]
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)


def _again(body: bytes) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await asyncio.Event().wait()  # nobody reads on but to learn that the caller has left
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
