"""Who am I; and keys of others, as an admin hands them out and takes them back.

A change is in force on this replica at once, and on all others within seconds (`http/auth.py`).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from data.access_keys import LONGEST_DAYS, Key, Role
from serve_app.client.account_answers import KeyInfo, KeyList, Me, ShownKey
from serve_app.client.answers import Limits
from serve_app.http.answers.responses import caller_of, service_of
from serve_app.http.auth import Keyring
from serve_app.http.openapi import openapi_of
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.threads import reading, writing

if TYPE_CHECKING:
    from data.store.keys import Keys, NewKey

T = TypeVar("T")

router = APIRouter(tags=["keys"], **ONLY_KNOWN_PARAMETERS)


class Term(BaseModel):
    """`days` from now on, or for as long as nobody revokes it."""

    model_config = ConfigDict(extra="forbid")

    days: float | None = Field(None, gt=0, le=LONGEST_DAYS, allow_inf_nan=False)

    @property
    def end(self) -> datetime | None:
        return None if self.days is None else datetime.now(UTC) + timedelta(days=self.days)


class KeyOrder(Term):
    name: str = Field(max_length=60)
    role: Role


@router.get("/me", **openapi_of(role="anonymous"))
async def me(request: Request) -> Me:
    """Whose key this is, what it may, how large a clip may be and how many may come a minute;
    without a key, anonymous."""
    caller, service = caller_of(request), service_of(request)
    quotas = service.settings.quotas
    quota = quotas.address if caller.role == "anonymous" else quotas.key
    return Me(
        name=caller.name,
        role=caller.role,
        expires=caller.expires_at,
        limits=Limits(**service.domain.limits.model_dump()),
        requests_per_minute=quota or None,
    )


@router.get("/keys", **openapi_of(role="admin"))
async def keys(request: Request) -> KeyList:
    """Whose keys are known, by name; the admin's own, of the service's home, is not among them."""
    caller_of(request, "admin")
    found = await reading(lambda: service_of(request).store.keys.find())
    return KeyList(keys=tuple(map(key_info, found)))


@router.post("/keys", status_code=201, **openapi_of(400, 409, 413, role="admin"))
async def add(request: Request, response: Response, order: KeyOrder) -> ShownKey:
    """A key for somebody, for `days` or until it is revoked. It is shown this once."""
    who = caller_of(request, "admin").name
    made = await _changed(
        request, lambda kept: kept.add(order.name, order.role, who=who, expires_at=order.end)
    )
    return _shown(made, response)


@router.post("/keys/{name}/rotate", **openapi_of(404, 409, role="admin"))
async def rotate(request: Request, response: Response, name: str) -> ShownKey:
    """Another key for the same name and role, until the same moment; the old one ends."""
    who = caller_of(request, "admin").name
    return _shown(await _changed(request, lambda kept: kept.rotate(name, who=who)), response)


@router.post("/keys/{name}/expire", **openapi_of(400, 404, 413, role="admin"))
async def expire(request: Request, name: str, term: Term) -> KeyInfo:
    """The key counts for so many days from now, or without any, until it is revoked."""
    who = caller_of(request, "admin").name
    return key_info(await _changed(request, lambda kept: kept.expire(name, term.end, who=who)))


@router.delete("/keys/{name}", **openapi_of(404, role="admin"))
async def revoke(request: Request, name: str) -> KeyInfo:
    """The key is refused from now on, and forgotten; its name may be given again."""
    who = caller_of(request, "admin").name
    return key_info(await _changed(request, lambda kept: kept.revoke(name, who=who)))


async def _changed(request: Request, change: "Callable[[Keys], T]") -> T:
    keyring: Keyring = request.app.state.keyring
    try:
        return await writing(lambda: change(service_of(request).store.keys))
    finally:
        keyring.changed()


def _shown(made: "NewKey", response: Response) -> ShownKey:
    response.headers["Cache-Control"] = "no-store"
    return ShownKey(**dict(key_info(made.key)), key=made.secret)


def key_info(key: Key) -> KeyInfo:
    return KeyInfo(
        name=key.name,
        role=key.role,
        who=key.who,
        created=key.created_at,
        expires=key.expires_at,
        expired=key.has_expired,
    )
