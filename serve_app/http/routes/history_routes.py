"""The audit log, and the last minutes of traffic."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from data.errors import InvalidParameter
from serve_app.client.past_answers import AuditEvent, AuditEvents, History, Window
from serve_app.http.answers.responses import caller_of, service_of
from serve_app.http.openapi import openapi_of
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.threads import reading

if TYPE_CHECKING:
    from data.store.events import Event

LAST_ID = 2**31 - 1

router = APIRouter(tags=["service"], **ONLY_KNOWN_PARAMETERS)


@router.get("/events", **openapi_of(400, role="admin"))
async def events(
    request: Request,
    kind: str | None = Query(None, max_length=100, pattern=r"^[a-z_.]+$"),
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    before: int | None = Query(None, ge=1, le=LAST_ID),
    limit: int = Query(100, ge=1, le=1000),
) -> AuditEvents:
    """What was done in this domain and to the service as a whole, newest first. `kind=clip` is all
    that begins with `clip.`; `since` and `until` are times with their zone; `before` is the id at
    which the page before ended."""
    service = service_of(request)
    caller_of(request, "admin")
    span = {"since": _in_utc(since), "until": _in_utc(until)}
    found = await reading(
        lambda: service.store.events.latest(
            service.domain.name, kind=kind, before=before, limit=limit, **span
        )
    )
    rest = found[-1].id if len(found) == limit else None
    return AuditEvents(events=tuple(map(audit_event, found)), next=rest)


@router.get("/history", **openapi_of(400, 503))
async def history(request: Request, window: Window = "5m") -> History:
    """The last minutes of this domain, or the last hour: answers a second and how long they took,
    refusals, replicas, versions and swaps; points of 5 seconds, or of a minute."""
    service = service_of(request)
    name = service.domain.name
    points = await service.ask_curator("history", name, window)
    return History.model_validate({"domain": name, "window": window, "points": points})


def _in_utc(moment: datetime | None) -> datetime | None:
    """Raises InvalidParameter for the first and last hours of all time, which UTC lacks."""
    try:
        return moment and moment.astimezone(UTC)
    except OverflowError:
        raise InvalidParameter("there is no such time in UTC") from None


def audit_event(event: "Event") -> AuditEvent:
    return AuditEvent(**vars(event))
