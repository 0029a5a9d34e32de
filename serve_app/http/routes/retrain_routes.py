"""The admin's routes: retrains followed live, versions promoted and rolled back."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, Query, Request
from starlette.responses import Response, StreamingResponse

from data.errors import UnknownName
from serve_app.client.service_answers import FollowedRun, Move, Purged, Run, Runs, Versions
from serve_app.http.answers.answer_bodies import RetrainOrder, run_event, run_info
from serve_app.http.answers.responses import caller_of, service_of
from serve_app.http.openapi import TEXT, openapi_of, parameter
from serve_app.http.replica import Replica
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.threads import reading

if TYPE_CHECKING:
    from data.store.events import Event
    from data.store.run_rows import RunRow

POLL_S = 0.3
HEARTBEAT_POLLS = 50
EVENT_STREAM, LAST_EVENT = "text/event-stream", "last-event-id"

FOLLOWED = openapi_of(
    404,
    role="admin",
    parameters=(parameter(LAST_EVENT, "header", "the last one that was seen", type="string"),),
    content={EVENT_STREAM: TEXT},
)

router = APIRouter(tags=["retrain"], **ONLY_KNOWN_PARAMETERS)


@router.post("/retrain", status_code=202, **openapi_of(400, 404, 409, 413, role="admin"))
async def retrain(
    request: Request, order: Annotated[RetrainOrder, Body(default_factory=RetrainOrder)]
) -> Run:
    """Starts a retrain as a Ray job: `teach`, also without a body, refits the head in seconds,
    `full` trains anew, with `workers`, `epochs`, `learning_rate` and `batch_size` of its own if
    they are given. `snapshot` is an older list of clips; a `dry_run` only tells what would be
    learnt from. The reason may be called `trigger_reason`."""
    service, caller = service_of(request), caller_of(request, "admin")
    order.must_suit(order.mode)
    asked = (order.mode, order.reason, caller.name, order.changed())
    run = await service.ask_curator("start_run", service.domain.name, *asked)
    return Run.model_validate(run)


@router.get("/retrain", **openapi_of(400, role="admin"))
async def runs(request: Request, limit: int = Query(50, ge=1, le=500)) -> Runs:
    """Retrains of the domain, newest first."""
    service = service_of(request)
    caller_of(request, "admin")
    found = await reading(lambda: service.store.runs.find(service.domain.name, limit=limit))
    return Runs(runs=tuple(map(run_info, found)))


@router.get("/retrain/{run_id}", **openapi_of(404, role="admin"))
async def run(request: Request, run_id: str) -> FollowedRun:
    """A retrain with its events so far and, once it has ended, its result."""
    service = service_of(request)
    caller_of(request, "admin")
    found = run_info(await reading(_run, service, run_id))
    events = await reading(_events, service, run_id, 0)
    return FollowedRun(**dict(found), events=tuple(map(run_event, events)))


@router.get("/retrain/{run_id}/events", response_class=StreamingResponse, **FOLLOWED)
async def follow(request: Request, run_id: str) -> Response:
    """The run's progress as server-sent events; `Last-Event-ID` goes on where one left off."""
    service = service_of(request)
    caller_of(request, "admin")
    await reading(_run, service, run_id)
    last = request.headers.get(LAST_EVENT, "0")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
    return StreamingResponse(
        _progress(service, run_id, after),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-cache"},
    )


async def _progress(service: Replica, run_id: str, after: int) -> AsyncIterator[bytes]:
    silent = 0
    while True:
        # The state is read before the events, so that none written in between is missed.
        over = (await reading(_run, service, run_id)).finished_at is not None
        events = await reading(_events, service, run_id, after)
        for event in events:
            after = event.id
            data = run_event(event).model_dump_json()
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()
        if over and not events:
            return
        silent = 0 if events else silent + 1
        if silent % HEARTBEAT_POLLS == HEARTBEAT_POLLS - 1:
            yield b": still here\n\n"
        await asyncio.sleep(0 if events else POLL_S)


@router.delete("/retrain/{run_id}", **openapi_of(404, 409, role="admin"))
async def cancel(request: Request, run_id: str) -> Run:
    """Stops a retrain that has not ended; the champion stays."""
    service, caller = service_of(request), caller_of(request, "admin")
    await reading(_run, service, run_id)
    return Run.model_validate(await service.ask_curator("cancel_run", run_id, caller.name))


@router.get("/models", **openapi_of(role="viewer"))
async def models(request: Request) -> Versions:
    """Every version with its figures, its gate's verdict and the aliases it holds."""
    service = service_of(request)
    caller_of(request, "viewer")
    name = service.domain.name
    versions = await service.ask_curator("versions", name)
    return Versions.model_validate({"domain": name, "versions": versions})


@router.post("/models/rollback", **openapi_of(404, 409, role="admin"))
async def rollback(request: Request) -> Move:
    """Back to the version that served before; answers when every replica serves it."""
    service, caller = service_of(request), caller_of(request, "admin")
    moved = await service.ask_curator("rollback", service.domain.name, caller.name)
    return Move.model_validate(moved)


@router.post("/models/purge", **openapi_of(409, role="admin"))
async def purge(request: Request) -> Purged:
    """Removes the versions, but for the champion, that remember clips somebody asked us to forget:
    from the registry, with their files, and from this machine."""
    service, caller = service_of(request), caller_of(request, "admin")
    purged = await service.ask_curator("purge", service.domain.name, caller.name)
    return Purged.model_validate(purged)


@router.post("/models/{version}/promote", **openapi_of(404, 409, role="admin"))
async def promote(request: Request, version: str) -> Move:
    """Makes a version the champion; answers when every replica serves it."""
    service, caller = service_of(request), caller_of(request, "admin")
    moved = await service.ask_curator("promote", service.domain.name, version, caller.name)
    return Move.model_validate(moved)


def _run(service: Replica, run_id: str) -> "RunRow":
    found = service.store.runs.get(run_id)
    if found.domain != service.domain.name:
        raise UnknownName(f"run {run_id} is one of {found.domain}, not of {service.domain.name}")
    return found


def _events(service: Replica, run_id: str, after: int) -> "list[Event]":
    return service.store.events.find(subject=f"run:{run_id}", after=after, limit=1000)
