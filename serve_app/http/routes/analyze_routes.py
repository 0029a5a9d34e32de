"""A recording of hours is answered by its events: at once, with its progress, or as a job."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson
from fastapi import APIRouter, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from data.domains.domain import AudioDomain, of_sounds
from data.errors import DiskFull, InvalidParameter, TelltaleError, UnknownName
from data.media.sniff import after_tags, sniff
from models.analysis.sliding_windows import planned, wishes_from
from serve_app.client import analysis_answers as answers
from serve_app.http import problems
from serve_app.http.answers.event_formats import (
    EVENT_STREAM,
    FORMAT,
    TABLE_KINDS,
    as_table,
    format_of,
)
from serve_app.http.answers.responses import answer, queue_of, request_id, service_of
from serve_app.http.job_runner import uploaded
from serve_app.http.openapi import BINARY, TEXT, form, many, openapi_of, parameter
from serve_app.http.recording_analysis import MOST_EVENTS, RecordingAnalysis, analysis_of
from serve_app.http.replica import Replica
from serve_app.http.requests.recordings import recordings_of
from serve_app.http.routes.job_routes import job_body
from serve_app.http.threads import analysing, reading, storing, writing
from serve_app.statuses import explain

if TYPE_CHECKING:
    from data.store.analysis_jobs import Job
    from data.store.store import Store

TELL_S = 0.5  # between two lines of progress
LOOK_AGAIN_S = 1  # at a job
HEAD_BYTES = 64 * 1024  # by which a file is known
DEFERRED = "respond-async"  # of the header Prefer (RFC 7240)
HEARD = ("audio/*", "video/*", "application/octet-stream")
RECORDING = form(("file",), file=BINARY) | dict.fromkeys(HEARD, BINARY)
SECONDS = {"type": "number", "minimum": 0}
OPTIONS = (
    FORMAT,
    parameter("upload", "query", "one of /uploads, in place of a body", type="string"),
    parameter("prefer", "header", f"{DEFERRED}: answer 202 with a job to poll", type="string"),
    parameter("hop_s", "query", "from a window to the next; a fifth of the window", **SECONDS),
    parameter("threshold", "query", "label:probability, for each label", **many(TEXT)),
    parameter("min_length_s", "query", "of an event, all of it sure; half a window", **SECONDS),
    parameter("merge_gap_s", "query", "that is bridged within an event; hop_s", **SECONDS),
    parameter("top_n", "query", f"the surest; {MOST_EVENTS:,} at most", type="integer", minimum=1),
)
ANALYZE = openapi_of(
    *(400, 404, 408, 409, 413, 415, 422, 429, 503),
    role="anonymous",
    body=RECORDING,
    parameters=OPTIONS,
    content={**TABLE_KINDS, EVENT_STREAM: TEXT},
)
ANALYZE["responses"][202] = {"model": answers.AnalysisJob, "description": "A job, at Location"}
MOST_SAID = 20_000  # characters
OWN = ("format", "upload")  # parameters that are no wishes

router = APIRouter(tags=["predict"])


@router.post("/analyze", response_model=answers.Analysis, **ANALYZE)
async def analyze(request: Request) -> Response:
    """A recording of any length in; its events out, as JSON, CSV, a Raven selection table, Audacity
    labels or Parquet. With Accept: text/event-stream its progress, and then the JSON. With Prefer:
    respond-async 202 and a job, at /jobs/ID, that goes on when the connection or a replica ends."""
    service, who = service_of(request), queue_of(request)
    try:
        domain = of_sounds(service.domain)
        kind, said = format_of(request, EVENT_STREAM), _said(request.query_params)
        wishes, served = wishes_from(said), service.champion.served
        planned(served.model, domain, wishes)  # refuses before anything is read
        if _is_deferred(request):
            return _ordered(request, await _order(request, domain, who, said))
        async with AsyncExitStack() as stack:
            file = await stack.enter_async_context(_recording(request, domain))
            found = await stack.enter_async_context(analysis_of(file, domain, served, wishes))
            if kind == EVENT_STREAM:
                held = stack.pop_all()
                return Told(_told(service, found, request_id(request), held), held)
            async for _ in found.steps(service):
                if await request.is_disconnected():
                    raise InvalidParameter("the connection closed before the answer was there")
            return await _answer(found, kind, request_id(request))
    except TelltaleError as error:
        service.metrics.rejected(type(error).__name__)
        raise


def _said(query: QueryParams) -> dict[str, list[str]]:
    """In one pass, and not too much, which a job would keep: an address may have 250 KB."""
    said: dict[str, list[str]] = {}
    if sum(len(name) + len(value) for name, value in query.multi_items()) > MOST_SAID:
        raise InvalidParameter(f"the parameters have over {MOST_SAID:,} characters")
    for name, value in query.multi_items():
        if name not in OWN:
            said.setdefault(name, []).append(value)
    return said


def _is_deferred(request: Request) -> bool:
    preferences = ",".join(request.headers.getlist("prefer")).split(",")
    return DEFERRED in {each.partition(";")[0].strip().lower() for each in preferences}


@asynccontextmanager
async def _recording(request: Request, domain: AudioDomain) -> AsyncIterator[BinaryIO]:
    recordings, upload_id = recordings_of(request), request.query_params.get("upload")
    if upload_id is not None:
        with recordings.place(request):
            async with uploaded(service_of(request), upload_id) as file:
                yield file
        return
    async with recordings.read(request, domain.limits.max_recording_bytes) as file:
        yield file


async def _order(
    request: Request, domain: AudioDomain, who: str, said: Mapping[str, list[str]]
) -> "Job":
    from data.database.schema import now  # and with it SQL
    from data.store.analysis_jobs import Job

    service, sent_before = service_of(request), request.query_params.get("upload")
    upload_id = sent_before
    if upload_id is None:
        async with _recording(request, domain) as file:
            upload_id = await storing(_stored, service.store, domain.name, file, who)
    elif known := await reading(_known, service.store, upload_id):
        return known
    new = Job(upload_id, domain.name, who, request_id(request), dict(said), now())
    try:
        job = await writing(service.store.jobs.add, new)
    except DiskFull:  # after any other failure the job may be there, and waits for its upload
        if sent_before is None:  # nobody knows its id
            with suppress(TelltaleError):
                await writing(service.store.uploads.delete, upload_id)
        raise
    service.jobs.look()
    return job


def _stored(store: "Store", domain: str, file: BinaryIO, who: str) -> str:
    """The id of an upload of one part. What is no sound is refused here."""
    length = file.seek(0, 2)
    file.seek(0)
    sniff(after_tags(file.read(HEAD_BYTES)))
    file.seek(0)
    upload = store.uploads.begin(domain, length, who=who)
    try:
        store.uploads.append(upload.id, 0, file, length)
    except BaseException:
        store.uploads.delete(upload.id)
        raise
    return upload.id


def _known(store: "Store", upload_id: str) -> "Job | None":
    """Who asks again, having missed the answer, gets it once more. Raises UnknownName or
    Conflict for an upload that cannot be analysed yet."""
    try:
        return store.jobs.get(upload_id)
    except UnknownName:
        store.uploads.get(upload_id).must_be_whole()
    return None


def _ordered(request: Request, job: "Job") -> Response:
    place = request.url.path.removesuffix("/analyze")
    headers = {
        "Location": f"{place}/jobs/{job.id}",
        "Preference-Applied": DEFERRED,
        "Retry-After": str(LOOK_AGAIN_S),
    }
    return answer(job_body(job), 202, headers)


async def _told(
    service: Replica, found: RecordingAnalysis, asked: str, held: AsyncExitStack
) -> AsyncIterator[bytes]:
    """Server-sent events: `progress` now and then, and one `result`, or `failed` with a problem.
    The recording's place is free by then: whoever reads it may send the next one."""
    told = 0.0
    try:
        async for _ in found.steps(service):
            if time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                yield _event("progress", {"heard_s": found.heard_s, "done": found.done})
        kind, body = "result", await analysing(found.body, asked)
    except TelltaleError as error:
        service.metrics.rejected(type(error).__name__)
        kind, body = "failed", problems.problem(*explain(error), asked)
    await held.aclose()
    yield _event(kind, body)


def _event(kind: str, body: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(body))


async def _answer(found: RecordingAnalysis, kind: str, asked: str) -> Response:
    version = found.served.version
    if kind == "json":
        body = await analysing(found.body, asked)
        return answer(body, headers={"X-Model-Version": version})
    events = await analysing(found.events)
    return await as_table(kind, events, found.stream.source_rate_hz, version)


class Told(StreamingResponse):
    """Lets go of the recording whether or not anybody has read the answer."""

    def __init__(self, content: AsyncIterator[bytes], held: AsyncExitStack) -> None:
        super().__init__(content, media_type=EVENT_STREAM, headers={"Cache-Control": "no-cache"})
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)
