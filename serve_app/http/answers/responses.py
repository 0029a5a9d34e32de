"""What every route needs: who calls, which service answers, and an answer as JSON."""

import re
import secrets
from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.responses import Response

from serve_app.http.auth import Caller, Keyring
from serve_app.http.replica import Replica
from serve_app.settings import VISITOR_HEADER

MOST_RANGES = 50  # browsers send ten
MOST_OF_AN_ID = 200
QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]*)?)", re.IGNORECASE)


def service_of(request: HTTPConnection) -> Replica:
    service: Replica = request.app.state.service
    return service


def caller_of(request: HTTPConnection, role: str = "anonymous") -> Caller:
    """Raises Unauthorized or Forbidden unless the caller has at least `role`."""
    keyring: Keyring = request.app.state.keyring
    caller = keyring.caller(request.headers.get("authorization"))
    caller.require(role)
    return caller


def queue_of(request: HTTPConnection) -> str:
    """Whose turn a clip takes in the queue: the key's name, or the address of whoever has none."""
    caller = caller_of(request)
    if caller.role != "anonymous":
        return caller.name
    visitor = request.headers.get(VISITOR_HEADER)
    if visitor is not None and (address := _visitor(request, visitor)):
        return address
    return request.client.host if request.client else "anonymous"


def _visitor(request: HTTPConnection, told: str) -> str:
    """Whom the page asks for; nothing where it is not our page that says so."""
    token, _, address = told.partition(" ")
    own = service_of(request).settings.start_token
    ours = bool(own) and secrets.compare_digest(token.encode(), own.encode())
    return address if ours else ""


def request_id(request: HTTPConnection) -> str:
    """As much of it as anybody means: it stands in each row of an answer, and in kept ones."""
    return request.headers.get("x-request-id", "")[:MOST_OF_AN_ID]


def preferred(request: Request, kinds: Sequence[str]) -> str:
    """The one of these media types that `Accept` weighs most (RFC 9110, 12.5.1); of equals the one
    that it names first, and the first of `kinds` where it wants none of them."""
    ranges = ",".join(request.headers.getlist("accept")).lower().split(",", MOST_RANGES)
    return max(kinds, key=lambda kind: _weight(kind, ranges))


def _weight(kind: str, ranges: Sequence[str]) -> tuple[float, int]:
    """Its quality, by the range that fits it most closely, and how early that stands."""
    fits = (kind, f"{kind.partition('/')[0]}/*", "*/*")
    for fit in fits:
        for place, text in enumerate(ranges):
            if text.partition(";")[0].strip() == fit:
                quality = QUALITY.search(text)
                weight = float(quality[1]) if quality else 1.0
                return (weight, -place) if weight else (0.0, 0)
    return 0.0, 0


def answer(
    body: Any,
    status: int = 200,
    headers: dict[str, str] | None = None,
    kind: str = "application/json",
) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type=kind)
