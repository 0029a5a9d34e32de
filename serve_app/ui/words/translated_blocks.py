"""Gradio's Blocks in each visitor's language: what a browser is sent at first is translated for
each, and what happens then is answered in the one that its address or its browser asks for."""

from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serve_app.ui.gradio_internals.outputs import SparingBlocks
from serve_app.ui.words.translate import (
    ENGLISH,
    NAMES,
    in_language,
    speaking,
    spoken,
    wanted,
)


class TranslatedBlocks(SparingBlocks):
    """Gradio reads `config` for each browser that opens the page, and answers all events by
    `process_api`; its own translations follow the browser alone, and know labels alone."""

    @property
    def config(self) -> dict[str, Any]:
        made: dict[str, Any] = self._configs.get(spoken(), self._configs[ENGLISH])
        return made

    @config.setter
    def config(self, made: dict[str, Any]) -> None:
        self._configs = {language: in_language(made, language) for language in NAMES}

    async def process_api(self, *args: Any, request: Any = None, **more: Any) -> dict[str, Any]:
        language = wanted(request.query_params, request.headers) if request else spoken()
        with speaking(language):
            return dict(await super().process_api(*args, request=request, **more))


class Languages:
    """ASGI middleware: the language of whoever opens the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Request(scope)
        with speaking(wanted(asked.query_params, asked.headers)):
            await self._app(scope, receive, send)
