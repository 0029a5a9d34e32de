"""How the service stands: asked of it once for all pages that are open, and told to each of them
by a small answer of its own, which costs a tenth of one of Gradio's events (static/standing.js)."""

import asyncio
import secrets
import threading
import time

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from serve_app.client.client import Client
from serve_app.client.connection import ServiceError
from serve_app.client.service_answers import DomainStatus, Status
from serve_app.ui.header import serving
from serve_app.ui.wording import words
from serve_app.ui.words.translate import t

STANDS_S = 2.0  # for as long what is known is shown
PATH = "/standing"


class Standing:
    def __init__(self, client: Client) -> None:
        self._client, self._lock, self._asked = client, threading.Lock(), float("-inf")
        self._found: Status | ServiceError | None = None
        self._look: asyncio.Task[Status] | None = None
        self._page = secrets.token_hex(8)  # another one knows nothing of this one's sessions

    def status(self) -> Status:
        """Raises ServiceError."""
        with self._lock:
            if self._found is None or self._left_s() <= 0:
                try:
                    self._found = self._client.status()
                except ServiceError as error:
                    self._found = error
                self._asked = time.monotonic()
            found = self._found
        if isinstance(found, ServiceError):
            raise found
        return found

    async def told(self, request: Request) -> JSONResponse:
        """To a page, of the domain that it shows. All of them come again when what is known is too
        old, and so ask the service together."""
        try:
            found = self._found
            if not isinstance(found, Status) or self._left_s() <= 0:
                found = await self._looked()
            body: dict[str, object] = _told(
                found.domains.get(request.query_params.get("domain", ""))
            )
        except ServiceError as error:
            body = {"away": f"{words(error)} {t('This page keeps trying by itself.')}"}
        again = {"again_s": round(max(0.1, self._left_s()) + 0.02, 2)}
        told = {**body, **again, "page": self._page}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def _looked(self) -> Status:
        """One thread waits for a service that hangs, and not one for each page."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(run_in_threadpool(self.status))
        return await asyncio.shield(self._look)

    def _left_s(self) -> float:
        return STANDS_S - (time.monotonic() - self._asked)


def _told(row: DomainStatus | None) -> dict[str, object]:
    """`seen` differs where what a place shows of the domain does."""
    if row is None:  # there is no such domain, or the curator is away, who knows of the others
        return {}
    version = row.champion.version if row.champion else ""
    running = [run.id for run in row.running]
    return {"serving": serving(row), "seen": [version, row.agree, running, row.clips]}
