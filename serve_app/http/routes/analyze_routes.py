"""A recording's way to its events: hours of sound, in slices between the predictions.

Predictions go first. A slice of a few windows takes a thread of its own for some hundredths of a
second; before the next one it waits, a while, until no clip waits any more.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson
from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from data.domains.domain import AudioDomain, of_sounds
from data.errors import InvalidParameter, TelltaleError
from data.media.audio.recording_stream import open_recording
from data.media.audio.waveform import RecordingStream
from models.analysis.events import Event, Rules, find_events
from models.analysis.recording import Analysis, planned, wishes_from
from models.analysis.tables import TABLES, row
from serve_app.client import analysis_answers as answers
from serve_app.http import problems
from serve_app.http.openapi import BINARY, JSON, TEXT, form, openapi_of, parameter
from serve_app.http.replica import Replica
from serve_app.http.requests.recordings import recordings_of
from serve_app.http.responses import answer, preferred, queue_of, request_id, service_of
from serve_app.http.threads import analysing
from serve_app.replica.champion import LoadedVersion
from serve_app.statuses import explain

EVENT_STREAM = "text/event-stream"
STEPPED_ASIDE_S, LOOK_AGAIN_S = 0.2, 0.005  # of clips that wait; then it goes on all the same
TELL_S = 0.5  # between two lines of progress
FORMS = {JSON: "json", EVENT_STREAM: EVENT_STREAM} | {TABLES[name][0]: name for name in TABLES}
HEARD = ("audio/*", "video/*", "application/octet-stream")
RECORDING = form(("file",), file=BINARY) | dict.fromkeys(HEARD, BINARY)
SECONDS = {"type": "number", "minimum": 0}
OPTIONS = (
    parameter("format", "query", "beside Accept", type="string", enum=["json", *TABLES]),
    parameter("hop_s", "query", "from a window to the next; a fifth of the window", **SECONDS),
    parameter("threshold", "query", "label:probability, for each label", type="string"),
    parameter("min_length_s", "query", "of an event; half a window", **SECONDS),
    parameter("merge_gap_s", "query", "that is bridged within an event; hop_s", **SECONDS),
    parameter("top_n", "query", "only so many, the surest", type="integer", minimum=1),
)
ANALYZE = openapi_of(
    *(400, 404, 408, 413, 415, 422, 429, 503),
    role="anonymous",
    body=RECORDING,
    parameters=OPTIONS,
    content={kind: TEXT for kind, _ in TABLES.values()} | {EVENT_STREAM: TEXT},
)

router = APIRouter(tags=["predict"])


@dataclass(frozen=True)
class Job:
    served: LoadedVersion
    stream: RecordingStream
    analysis: Analysis
    hop_s: float
    rules: Rules
    request_id: str


@router.post("/analyze", response_model=answers.Analysis, **ANALYZE)
async def analyze(request: Request) -> Response:
    """A recording of any length in; its events out, as JSON, CSV, a Raven selection table, Audacity
    labels or Parquet. With Accept: text/event-stream its progress, and then the JSON."""
    service, who = service_of(request), queue_of(request)
    try:
        domain = of_sounds(service.domain)
        kind, wishes = _asked(request), wishes_from(_options(request.query_params))
        served = service.champion.served
        hop_s, rules = planned(served.model, domain, wishes)
        limit = domain.limits.max_recording_bytes
        async with AsyncExitStack() as stack:
            file = await stack.enter_async_context(recordings_of(request).read(request, who, limit))
            stream = await stack.enter_async_context(_opened(file, domain, served))
            analysis = Analysis(served.model, stream, hop_s)
            job = Job(served, stream, analysis, hop_s, rules, request_id(request))
            if kind == EVENT_STREAM:
                return Told(_told(service, job), stack.pop_all())
            async for _ in _steps(service, job):
                if await request.is_disconnected():
                    raise InvalidParameter("the connection closed before the answer was there")
            return await _answer(job, kind)
    except TelltaleError as error:
        service.metrics.rejected(type(error).__name__)
        raise


@asynccontextmanager
async def _opened(
    file: BinaryIO, domain: AudioDomain, served: LoadedVersion
) -> AsyncIterator[RecordingStream]:
    """Closed by the one thread that reads it: of a request that is cancelled a slice may still run,
    and a decoder does not survive to be closed under it."""
    rate_hz = of_sounds(served.domain).input.sample_rate_hz
    recording = open_recording(file, domain.limits, rate_hz)
    stream = await analysing(recording.__enter__)
    try:
        yield stream
    finally:
        await analysing(recording.__exit__, None, None, None)


def _asked(request: Request) -> str:
    """A name of TABLES, "json" or EVENT_STREAM; raises InvalidParameter."""
    wish = request.query_params.get("format")
    if wish is None:
        return FORMS[preferred(request, tuple(FORMS))]
    if wish not in {"json", *TABLES}:
        known = ", ".join(("json", *TABLES))
        raise InvalidParameter(f"format must be one of {known}, got {wish[:40]!r}")
    return wish


def _options(query: QueryParams) -> Mapping[str, list[str]]:
    return {name: query.getlist(name) for name in query if name != "format"}


async def _steps(service: Replica, job: Job) -> AsyncIterator[None]:
    """Once a slice is done. What it raises is wrong with the recording."""
    while await analysing(job.analysis.step):
        yield
        until = time.monotonic() + STEPPED_ASIDE_S
        while service.admission.busy and time.monotonic() < until:
            await asyncio.sleep(LOOK_AGAIN_S)


async def _told(service: Replica, job: Job) -> AsyncIterator[bytes]:
    """Server-sent events: `progress` now and then, and one `result`, or `failed` with a problem."""
    told = 0.0
    try:
        async for _ in _steps(service, job):
            if time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                yield _event("progress", _progress(job))
        yield _event("result", await asyncio.to_thread(_body, job))
    except TelltaleError as error:
        service.metrics.rejected(type(error).__name__)
        yield _event("failed", problems.problem(*explain(error), job.request_id))


def _progress(job: Job) -> dict[str, Any]:
    done = job.analysis.done
    return {"heard_s": round(job.stream.duration_s, 1), "done": done and round(done, 4)}


def _event(kind: str, body: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(body))


async def _answer(job: Job, kind: str) -> Response:
    """Made in a thread: a day has thousands of events."""
    headers = {"X-Model-Version": job.served.version}
    if kind == "json":
        return answer(await asyncio.to_thread(_body, job), headers=headers)
    media_type, table = TABLES[kind]
    content = await asyncio.to_thread(lambda: table(_events(job), job.stream.source_rate_hz))
    headers["X-Content-Type-Options"] = "nosniff"
    return Response(content, headers=headers, media_type=media_type)


def _events(job: Job) -> list[Event]:
    return find_events(job.analysis.heard(), job.rules)


def _body(job: Job) -> dict[str, Any]:
    served, stream, events = job.served, job.stream, _events(job)
    return {
        "request_id": job.request_id,
        "domain": served.domain.name,
        "model": {"version": served.version, "digest": served.digest},
        "recording": {
            "container": stream.container,
            "duration_s": round(stream.duration_s, 4),
            "sample_rate_hz": stream.source_rate_hz,
            "windows": len(job.analysis.heard().starts_s),
            "warnings": stream.warnings,
        },
        "window_s": of_sounds(served.domain).input.window_s,
        "hop_s": job.hop_s,
        "thresholds": {label: round(least, 6) for label, least in job.rules.enter.items()},
        "events": [row(event) for event in events],
        "labels": dict(Counter(event.label for event in events).most_common()),
        "disclaimer": served.domain.disclaimer,
    }


class Told(StreamingResponse):
    """Lets go of the recording whether or not anybody has read the answer."""

    def __init__(self, content: AsyncIterator[bytes], held: AsyncExitStack) -> None:
        super().__init__(content, media_type=EVENT_STREAM, headers={"Cache-Control": "no-cache"})
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)
