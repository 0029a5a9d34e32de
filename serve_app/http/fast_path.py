"""The door of a replica: the domain's own prefix, and a short way for predictions.

FastAPI's layers cost a tenth of a prediction's CPU; `POST /predict` goes straight to its handler.
The same handler is a FastAPI route too, which documents it and answers under any other path.
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve_app.http import problems
from serve_app.http.bodies import ORDER_BYTES, at_most

READ_BY_THEMSELVES = ("/predict", "/batch-predict", "/feedback", "/save-for-retrain", "/upload")

Handler = Callable[[Request], Awaitable[Response]]


class Door:
    """The first domain is served at `/`, and at `/<its name>` as every domain is."""

    def __init__(self, app: FastAPI, name: str, predict: Handler) -> None:
        self._app = app
        self._prefix = f"/{name}"
        self._predict = predict
        paths = ("/predict", "/api/predict")
        self._short = {prefix + path for prefix in ("", self._prefix) for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and scope["method"] == "POST" and path in self._short:
            await self._short_way({**scope, "app": self._app}, receive, send)
            return
        if path.startswith(self._prefix + "/") and not scope.get("root_path"):
            scope = {**scope, "root_path": self._prefix}
        if not path.endswith(READ_BY_THEMSELVES):
            receive = at_most(receive, ORDER_BYTES)
        await self._app(scope, receive, send)

    async def _short_way(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._predict(request)
        except Exception as error:
            response = problems.response(request, error)
        await response(scope, receive, send)
