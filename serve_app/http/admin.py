"""The admin's routes: retrains followed live, versions promoted and rolled back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from data.errors import UnknownName
from serve_app.client.answers import Move, Purged, Run, Runs, Versions
from serve_app.http.replica import Replica
from serve_app.http.responses import answer, caller_of, service_of
from serve_app.http.schemas import Problem, RetrainOrder, run_facts
from serve_app.replica.threads import reading

if TYPE_CHECKING:
    from data.store.events import Event
    from data.store.runs import RunRow

POLL_S = 0.3
HEARTBEAT_POLLS = 50

router = APIRouter(
    tags=["retrain"],
    responses={status: {"model": Problem} for status in (401, 403, 404, 409)},
)


@router.post("/retrain", status_code=202, responses={202: {"model": Run}})
async def retrain(request: Request, order: RetrainOrder) -> Response:
    """Starts a retrain as a Ray job: `teach` refits the head in seconds, `full` trains anew."""
    service, caller = service_of(request), caller_of(request, "admin")
    run = await service.ask_curator(
        "start_run", service.domain.name, order.mode, order.reason, caller.name
    )
    return answer(run, 202)


@router.get("/retrain", responses={200: {"model": Runs}})
async def runs(request: Request, limit: int = Query(50, ge=1, le=500)) -> Response:
    service = service_of(request)
    caller_of(request, "admin")
    found = await reading(lambda: service.store.runs.find(service.domain.name, limit=limit))
    return answer({"runs": [run_facts(run) for run in found]})


@router.get("/retrain/{run_id}", responses={200: {"model": Run}})
async def run(request: Request, run_id: str) -> Response:
    service = service_of(request)
    caller_of(request, "admin")
    found = await reading(_run, service, run_id)
    events = await reading(_events, service, run_id, 0)
    return answer({**run_facts(found), "events": [_event_facts(event) for event in events]})


@router.get("/retrain/{run_id}/events")
async def follow(request: Request, run_id: str) -> Response:
    """The run's progress as server-sent events; `Last-Event-ID` goes on where one left off."""
    service = service_of(request)
    caller_of(request, "admin")
    await reading(_run, service, run_id)
    last = request.headers.get("last-event-id", "0")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
    return StreamingResponse(
        _progress(service, run_id, after),
        media_type="text/event-stream",
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
            data = orjson.dumps(_event_facts(event)).decode()
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {data}\n\n".encode()
        if over and not events:
            return
        silent = 0 if events else silent + 1
        if silent % HEARTBEAT_POLLS == HEARTBEAT_POLLS - 1:
            yield b": still here\n\n"
        await asyncio.sleep(0 if events else POLL_S)


@router.delete("/retrain/{run_id}")
async def cancel(request: Request, run_id: str) -> Response:
    service, caller = service_of(request), caller_of(request, "admin")
    await reading(_run, service, run_id)
    return answer(await service.ask_curator("cancel_run", run_id, caller.name))


@router.get("/models", responses={200: {"model": Versions}})
async def models(request: Request) -> Response:
    """Every version with its figures, its gate's verdict and the aliases it holds."""
    service = service_of(request)
    caller_of(request, "viewer")
    versions = await service.ask_curator("versions", service.domain.name)
    return answer({"domain": service.domain.name, "versions": versions})


@router.post("/models/rollback", responses={200: {"model": Move}})
async def rollback(request: Request) -> Response:
    """Back to the version that served before; answers when every replica serves it."""
    service, caller = service_of(request), caller_of(request, "admin")
    return answer(await service.ask_curator("rollback", service.domain.name, caller.name))


@router.post("/models/purge", responses={200: {"model": Purged}})
async def purge(request: Request) -> Response:
    """Removes the versions, but for the champion, that remember clips somebody asked us to forget:
    from the registry, with their files, and from this machine."""
    service, caller = service_of(request), caller_of(request, "admin")
    return answer(await service.ask_curator("purge", service.domain.name, caller.name))


@router.post("/models/{version}/promote", responses={200: {"model": Move}})
async def promote(request: Request, version: str) -> Response:
    """Makes a version the champion; answers when every replica serves it."""
    service, caller = service_of(request), caller_of(request, "admin")
    return answer(await service.ask_curator("promote", service.domain.name, version, caller.name))


def _run(service: Replica, run_id: str) -> "RunRow":
    found = service.store.runs.get(run_id)
    if found.domain != service.domain.name:
        raise UnknownName(f"run {run_id} is one of {found.domain}, not of {service.domain.name}")
    return found


def _events(service: Replica, run_id: str, after: int) -> "list[Event]":
    return service.store.events.find(subject=f"run:{run_id}", after=after, limit=1000)


def _event_facts(event: "Event") -> dict[str, Any]:
    at: datetime = event.at
    return {"id": event.id, "at": at.isoformat(), "kind": event.kind, "detail": event.detail}
