"""Runs an ASGI application by uvicorn in a thread, for tests that need a real address."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI


class Server:
    """A uvicorn in a thread on a free port, or on the one given."""

    def __init__(self, app: Any, port: int = 0) -> None:
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start within 30 s"
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)


def below_ui(page: FastAPI, service: FastAPI | None = None) -> FastAPI:
    """The page as Serve mounts it, beside the service that browsers find at the same address."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with page.router.lifespan_context(page):
            yield

    outer = FastAPI(lifespan=life)
    outer.mount("/ui", page)
    if service is not None:
        outer.mount("", service)
    return outer
