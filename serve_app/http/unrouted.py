"""What is told of a path, or a method, that no route has: what there is, and how it is asked."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from reprlib import repr as shortened
from typing import Any
from urllib.parse import quote

from fastapi import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match

from serve_app.http.answers.responses import service_of
from serve_app.http.openapi import JSON

FORM = "multipart/form-data"
FILE, FILES = "@FILE", ("file", "files")
SOCKET = "/stream"
ALIKE = 0.6
LONGEST = 60  # of paths that may have been meant otherwise: looking takes time

Operations = Mapping[str, Any]  # of one path, by method


async def in_words(request: Request, status: int, allowed: str = "") -> tuple[str, str]:
    """A sentence, and the methods that the path has; `allowed` are those of a route that OpenAPI
    leaves out."""
    document = await asyncio.to_thread(request.app.openapi)  # once; takes a moment then
    paths: dict[str, Operations] = document["paths"]
    below = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    path = below.removeprefix("/api") or "/"
    found = _operations(path, paths)
    url = str(request.url.replace(query=""))
    if status == 405 and found:
        methods = [method.upper() for method in found]
        words = f"{path} is asked by {' or '.join(methods)}: {_example(found, url)}"
        return words, ", ".join(methods)
    if status == 405 and allowed:
        return f"{path} is asked by {allowed.replace(', ', ' or ')}", allowed
    return _nothing_at(path, url, paths, service_of(request).settings.domains), ""


def without_slash(request: Request) -> Response | None:
    """Where the path has a slash behind one that there is: on to that, also for whoever only reads
    what it says. The place is told without scheme and host, which a proxy may have changed."""
    path = request.scope["path"]
    shorter = {**request.scope, "path": path.rstrip("/")}
    if path == shorter["path"] or all(
        route.matches(shorter)[0] is Match.NONE for route in request.app.routes
    ):
        return None
    place = quote(shorter["path"]) + (f"?{request.url.query}" if request.url.query else "")
    words = f"this is asked without the slash at its end: {place}\n"
    return PlainTextResponse(words, 307, {"Location": place})


def _operations(path: str, paths: Mapping[str, Operations]) -> Operations:
    for template, operations in paths.items():
        if _pattern(template).fullmatch(path):
            return operations
    return {}


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))


def _example(found: Operations, url: str) -> str:
    method = "post" if "post" in found else next(iter(found))
    content = found[method].get("requestBody", {}).get("content", {})
    if FORM in content:
        schema = content[FORM]["schema"]
        names = [*schema["required"], *(name for name in schema["properties"] if name == "label")]
        parts = " ".join(f"-F {name}={FILE if name in FILES else '...'}" for name in names)
        return f"curl {parts} {url}"
    if JSON in content:
        return f"curl -H 'Content-Type: {JSON}' -d '{{...}}' {url}"
    return f"curl -X {method.upper()} {url}"


def _nothing_at(
    path: str, url: str, paths: Mapping[str, Operations], domains: Sequence[str]
) -> str:
    head, _, rest = path.removeprefix("/").partition("/")
    if rest and head not in domains and _operations(f"/{rest}", paths):
        return (
            f"there is no domain {shortened(head)} here; there are {', '.join(domains)}, "
            f"as /{domains[0]}/{rest}"
        )
    if not rest and head in domains:
        return f"what can be asked of {head} is below it, as /{head}/predict, and stands at /docs"
    if path == SOCKET:
        return f"this is a WebSocket: ask it as ws{url.removeprefix('http')}"
    like = get_close_matches(path, paths, n=1, cutoff=ALIKE) if len(path) <= LONGEST else []
    meant = f"; did you mean {like[0]}?" if like else ""
    return f"there is nothing at {shortened(path)}{meant}; all routes stand at /docs"
