"""Keys of others, and who did what; for admins."""

from datetime import datetime

from ..account_answers import KeyInfo, KeyList, ShownKey
from ..call import Call, get, one, part, post, segment
from ..past_answers import AuditEvents


def all_keys() -> Call[tuple[KeyInfo, ...]]:
    """By name."""
    return get("/keys", part(KeyList, lambda found: found.keys))


def add(name: str, role: str, *, days: float | None = None) -> Call[ShownKey]:
    """`role` is viewer, contributor or admin. The key is shown this once; without `days` it counts
    until it is revoked."""
    return post("/keys", one(ShownKey), name=name, role=role, days=days)


def rotate(name: str) -> Call[ShownKey]:
    """Another key in its place, until the same moment."""
    return post(f"{_path(name)}/rotate", one(ShownKey))


def expire(name: str, days: float | None) -> Call[KeyInfo]:
    return post(f"{_path(name)}/expire", one(KeyInfo), days=days)


def revoke(name: str) -> Call[KeyInfo]:
    return Call("DELETE", _path(name), one(KeyInfo))


def events(
    domain: str,
    *,
    kind: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 100,
) -> Call[AuditEvents]:
    """Newest first; `before` is the `next` of the page before. Times have their zone."""
    asked = {"kind": kind, "since": since, "until": until, "before": before, "limit": limit}
    return get(f"/{domain}/events", one(AuditEvents), **asked)


def _path(name: str) -> str:
    return f"/keys/{segment(name)}"
