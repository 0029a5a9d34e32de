"""Recordings that are analysed behind the answer: how far they are, and what was found.

Whoever has a job's id, which nobody can guess, may look at it and end it.
"""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from data.errors import Conflict
from models.analysis.sound_events import Event
from serve_app.client.analysis_answers import AnalysisJob
from serve_app.http.answers.event_formats import FORMAT, TABLE_KINDS, as_table, format_of
from serve_app.http.answers.responses import answer, caller_of, service_of
from serve_app.http.openapi import PROBLEM, openapi_of
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.threads import reading, writing

if TYPE_CHECKING:
    from data.store.analysis_jobs import Job

LOOK_AGAIN_S = 1
JOB = openapi_of(
    *(400, 404, 409, 503), role="anonymous", parameters=(FORMAT,), content=dict(TABLE_KINDS)
)
JOB["responses"][202] = {"model": AnalysisJob, "description": "The table is not there yet"}

router = APIRouter(tags=["predict"], **ONLY_KNOWN_PARAMETERS)


@router.get("/jobs/{job_id}", response_model=AnalysisJob, **JOB)
async def job(request: Request, job_id: str) -> Response:
    """How far the analysis is and, once it has succeeded, its events: in JSON as its `result`; as a
    table (`format` or `Accept`) 202 with the JSON until it is there."""
    caller_of(request)
    kind = format_of(request)
    found = await reading(service_of(request).store.jobs.get, job_id)
    if kind == "json":
        return answer(job_body(found))
    if found.state == "cancelled":
        raise Conflict("the analysis was cancelled; order it again")
    if found.problem is not None:
        return answer(found.problem, int(str(found.problem["status"])), kind=PROBLEM)
    if found.result is None:
        return answer(job_body(found), 202, {"Retry-After": str(LOOK_AGAIN_S)})
    result: dict[str, Any] = found.result
    events = [Event(**row) for row in result["events"]]
    rate_hz, version = result["recording"]["sample_rate_hz"], result["model"]["version"]
    return await as_table(kind, events, rate_hz, version)


@router.delete("/jobs/{job_id}", **openapi_of(404, 503, role="anonymous"))
async def cancel(request: Request, job_id: str) -> AnalysisJob:
    """Ends the analysis; the recording, and what was found, are forgotten."""
    caller_of(request)
    found = await writing(service_of(request).store.jobs.cancel, job_id)
    return AnalysisJob.model_validate(job_body(found))


def job_body(job: "Job") -> dict[str, Any]:
    """As `AnalysisJob`; a model would take as long as the rest where a result is long."""
    body: dict[str, Any] = {
        "id": job.id,
        "domain": job.domain,
        "state": job.state,
        "created": job.created_at.isoformat(),
        "heard_s": job.heard_s,
        "done": job.done,
    }
    if job.expires_at is not None:
        body["expires"] = job.expires_at.isoformat()
    if job.state == "succeeded" and job.result is not None:
        recording: Any = job.result["recording"]
        body |= {"heard_s": recording["duration_s"], "done": 1.0}
    found = {"result": job.result, "problem": job.problem}
    return body | {name: value for name, value in found.items() if value is not None}
