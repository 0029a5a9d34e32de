"""In front of a replica's routes: who is let in, the domain's prefix, a short way for predictions.

FastAPI's layers cost a tenth of a prediction's CPU; `POST /predict` goes straight to its handler.
The same handler is a FastAPI route too, which documents it and answers under any other path.
"""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from data.errors import Forbidden, TelltaleError
from serve_app.http import problems
from serve_app.http.answers.responses import caller_of
from serve_app.http.auth import Keyring
from serve_app.http.openapi import ROLE
from serve_app.http.requests.bodies import ORDER_BYTES, at_most
from serve_app.settings import NOT_PASSED, passed_by_haproxy
from serve_app.statuses import explain

READ_BY_THEMSELVES = (
    *("/predict", "/batch-predict", "/analyze", "/feedback", "/save-for-retrain", "/upload"),
    *("/transcribe", "/infer", "/webhook"),
)
PARTS = "/uploads/"

PREDICT = SimpleNamespace(path="/predict")  # for whoever asks which route answered

Handler = Callable[[Request], Awaitable[Response]]


class FastPathApp:
    """The first domain is served at `/`, and at `/<its name>` as every domain is. With a `token`
    only what HAProxy has passed on is answered: at a replica's own port its limits do not hold."""

    def __init__(
        self, app: FastAPI, name: str, predict: Handler, keyring: Keyring, token: str = ""
    ) -> None:
        self._app = app
        self._keyring = keyring
        self._passed = passed_by_haproxy(token)
        self._prefix = f"/{name}"
        self._predict = predict
        self._short = {"/predict", f"{self._prefix}/predict"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if self._passed and self._passed not in scope.get("headers", (self._passed,)):
            await _not_passed(scope)(scope, receive, send)
            return
        await self._keyring.look(_authorization(scope))
        if scope["type"] == "http" and scope["method"] == "POST" and path in self._short:
            await self._short_way(scope, receive, send)
            return
        if path.startswith(self._prefix + "/") and not scope.get("root_path"):
            scope["root_path"] = self._prefix
        if not path.endswith(READ_BY_THEMSELVES) and PARTS not in path:
            receive = at_most(receive, ORDER_BYTES)
        await self._app(scope, after_key(scope, receive), send)

    async def _short_way(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.update(app=self._app, route=PREDICT)
        request = Request(scope, receive)
        try:
            response = await self._predict(request)
        except Exception as error:
            response = problems.response(request, error)
        await response(scope, receive, send)


def _not_passed(scope: Scope) -> ASGIApp:
    if scope["type"] == "websocket":
        return WebSocketClose(1008, NOT_PASSED)
    return problems.response(Request(scope), Forbidden(NOT_PASSED))


def after_key(scope: Scope, receive: Receive) -> Receive:
    """The key is looked at before the first byte of a body, also where FastAPI reads and checks
    that before it calls a route. The route is found by then; it says whose key it needs."""
    looked = False

    async def receiving() -> Message:
        nonlocal looked
        role = (getattr(scope.get("route"), "openapi_extra", None) or {}).get(ROLE)
        if role is not None and not looked:
            try:
                caller_of(Request(scope), role)
            except TelltaleError as error:
                # FastAPI lets nothing else through while it reads a body.
                raise HTTPException(explain(error)[0]) from error
        looked = True
        return await receive()

    return receiving


def _authorization(scope: Scope) -> str | None:
    found = (value for name, value in scope.get("headers", ()) if name == b"authorization")
    return next((value.decode("latin-1") for value in found), None)
