"""What the service answers of what has been: who did what, and the last minutes of traffic."""

from typing import Any, Literal

from .answers import Answer, Moment

Window = Literal["5m", "1h"]


class AuditEvent(Answer):
    """Who did what to what: `subject` is clip:<sha256>, feedback:<receipt>, run:<id>, key:<name>,
    model:<domain>:<version>, ...; `detail` depends on `kind`. Without a domain it was done to the
    service as a whole."""

    id: int
    at: Moment
    kind: str
    subject: str
    who: str
    domain: str | None = None
    detail: dict[str, Any] = {}


class AuditEvents(Answer):
    """Newest first; the next page is that `before` the id of `next`, null on the last."""

    events: tuple[AuditEvent, ...]
    next: int | None = None


class Rates(Answer):
    """Of `seconds` that were observed; the quantiles are those of the answers, null without any.
    `refused_per_s` are refusals by the replicas, of whatever reason, not those by HAProxy."""

    seconds: float
    answered_per_s: float
    refused_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None = None


class Traffic(Rates):
    """What one stretch of time brought, from `at` on. `versions` are replicas by what they served
    last, `swaps` those that took up another version."""

    at: Moment
    replicas: int
    versions: dict[str, int]
    swaps: int


class History(Answer):
    """Oldest first; nothing from before the curator last started."""

    domain: str
    window: Window
    points: tuple[Traffic, ...]
