"""What others show of a link to the page: Gradio's template would have them show its own name,
picture and account, and names a manifest above the page's address, where nothing answers."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.ui.markup import text
from serve_app.ui.words.translate import t

THEIRS = re.compile(
    r"""<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*|<link rel="manifest"[^>]*>\s*"""
)
HEAD = "<head>"


class LinkPreview:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or scope["method"] != "GET" or path not in {"", "/"}:
            return await self._app(scope, receive, send)
        start: Message = {}
        body = bytearray()

        async def noted(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            page = previewed(body.decode()).encode() if start["status"] == 200 else bytes(body)
            headers = MutableHeaders(raw=list(start["headers"]))
            headers["content-length"] = str(len(page))
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": page})

        await self._app(scope, receive, noted)


def previewed(page: str) -> str:
    described = text(t("Tells what a sound or a photograph is, and learns from corrections."))
    ours = (
        '<meta property="og:title" content="Telltale"><meta property="og:type" content="website">'
        f'<meta property="og:description" content="{described}">'
    )
    return THEIRS.sub("", page).replace(HEAD, HEAD + ours, 1)
