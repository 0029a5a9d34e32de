"""Keys of others, and who did what: what an admin asks of the client, as `client.accounts`."""

from datetime import datetime
from typing import Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from .account_answers import KeyInfo, KeyList, ShownKey
from .past_answers import AuditEvents

A = TypeVar("A", bound=BaseModel)


class Ask(Protocol):
    """Sends a request and reads the answer; raises ServiceError."""

    def __call__(
        self,
        method: str,
        path: str,
        model: type[A],
        *,
        params: dict[str, str] | None = None,
        json: dict[str, object] | None = None,
    ) -> A: ...


class Accounts:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def all_keys(self) -> tuple[KeyInfo, ...]:
        """By name."""
        return self._ask("GET", "/keys", KeyList).keys

    def add(self, name: str, role: str, *, days: float | None = None) -> ShownKey:
        """`role` is viewer, contributor or admin. The key is shown this once; without `days` it
        counts until it is revoked."""
        order: dict[str, object] = {"name": name, "role": role, "days": days}
        return self._ask("POST", "/keys", ShownKey, json=order)

    def rotate(self, name: str) -> ShownKey:
        """Another key in its place, until the same moment."""
        return self._ask("POST", f"{_path(name)}/rotate", ShownKey)

    def expire(self, name: str, days: float | None) -> KeyInfo:
        return self._ask("POST", f"{_path(name)}/expire", KeyInfo, json={"days": days})

    def revoke(self, name: str) -> KeyInfo:
        return self._ask("DELETE", _path(name), KeyInfo)

    def events(
        self,
        domain: str,
        *,
        kind: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> AuditEvents:
        """Newest first; `before` is the `next` of the page before. Times have their zone."""
        asked = {
            "kind": kind or None,
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
            "before": before and str(before),
            "limit": str(limit),
        }
        params = {name: value for name, value in asked.items() if value}
        return self._ask("GET", f"/{domain}/events", AuditEvents, params=params)


def _path(name: str) -> str:
    return f"/keys/{quote(name, safe='')}"
