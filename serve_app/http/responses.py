"""What every route needs: who calls, which service answers, and an answer as JSON."""

import secrets
from typing import Any

import orjson
from fastapi import Request
from starlette.responses import Response

from serve_app.http.auth import Caller, Keyring
from serve_app.http.replica import Replica
from serve_app.settings import VISITOR_HEADER


def service_of(request: Request) -> Replica:
    service: Replica = request.app.state.service
    return service


def caller_of(request: Request, role: str = "anonymous") -> Caller:
    """Raises Unauthorized or Forbidden unless the caller has at least `role`."""
    keyring: Keyring = request.app.state.keyring
    caller = keyring.caller(request.headers.get("authorization"))
    caller.require(role)
    return caller


def queue_of(request: Request) -> str:
    """Whose turn a clip takes in the queue: the key's name, or the address of whoever has none."""
    caller = caller_of(request)
    if caller.role != "anonymous":
        return caller.name
    visitor = request.headers.get(VISITOR_HEADER)
    if visitor is not None and (address := _visitor(request, visitor)):
        return address
    return request.client.host if request.client else "anonymous"


def _visitor(request: Request, told: str) -> str:
    """Whom the page asks for; nothing where it is not our page that says so."""
    token, _, address = told.partition(" ")
    own = service_of(request).settings.start_token
    ours = bool(own) and secrets.compare_digest(token.encode(), own.encode())
    return address if ours else ""


def request_id(request: Request) -> str:
    return request.headers.get("x-request-id", "")


def answer(
    body: Any,
    status: int = 200,
    headers: dict[str, str] | None = None,
    kind: str = "application/json",
) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type=kind)
