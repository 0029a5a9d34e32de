"""The API pages: Swagger UI at /docs, ReDoc at /redoc. Both work on a machine without internet.

They share an origin with the page that holds the key. So each loads one script, which the package
`fastapi_offline` brings, and its policy forbids all else: other origins, `eval`, frames.
"""

import base64
import hashlib
import html
from importlib.resources import files

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

FILES = "docs/files"
SWAGGER_START = """
SwaggerUIBundle({url: "openapi.json", dom_id: "#api", validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis]});
"""
# Its search would run in a worker made of a string.
REDOC_START = """
Redoc.init("openapi.json", {disableSearch: true, hideDownloadButton: true},
  document.getElementById("api"));
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{files}/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="{files}/{script}"></script>
<script>{start}</script>
</body>
</html>
"""


def install(app: FastAPI) -> None:
    brought = str(files("fastapi_offline").joinpath("static"))
    app.mount(f"/{FILES}", StaticFiles(directory=brought))
    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/redoc", redoc, include_in_schema=False)


async def docs(request: Request) -> Response:
    return _page(request, "swagger-ui-bundle.js", SWAGGER_START)


async def redoc(request: Request) -> Response:
    return _page(request, "redoc.standalone.js", REDOC_START)


def _page(request: Request, script: str, start: str) -> Response:
    title = html.escape(request.app.title)
    page = PAGE.format(title=title, files=FILES, script=script, start=start)
    headers = {
        "Content-Security-Policy": policy(start),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return HTMLResponse(page, headers=headers)


def policy(start: str) -> str:
    """Scripts of our own origin and the one that starts the page, by its digest."""
    digest = base64.b64encode(hashlib.sha256(start.encode()).digest()).decode()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{digest}'",
            "style-src 'self' 'unsafe-inline'",  # both write style attributes
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
