"""A clip's way, or that of many, to a prediction."""

import asyncio
import math
import re
import time
from collections import Counter
from collections.abc import Mapping
from reprlib import repr as shortened
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from data.errors import DeadlineExceeded, InvalidParameter, Overloaded, TelltaleError
from serve_app.batch_table import as_csv
from serve_app.client.answers import Batch, Prediction
from serve_app.client.protocol_answers import PreAnnotations
from serve_app.http import problems
from serve_app.http.answers.answer_bodies import prediction
from serve_app.http.answers.responses import answer, preferred, request_id, service_of
from serve_app.http.openapi import BINARY, JSON, TEXT, form, many, openapi_of, parameter
from serve_app.http.predictions import SESSION, VERSION, Asked, asked_of, few_at_once, or_why
from serve_app.http.predictions import predict as predict_clip
from serve_app.http.replica import Replica
from serve_app.http.requests.bodies import read_clip
from serve_app.http.requests.forms import files_of, forms_of
from serve_app.http.requests.multipart import PartRule
from serve_app.http.requests.parameters import refuse_others
from serve_app.http.routes import label_studio
from serve_app.replica.scoring import ScoredClip
from serve_app.statuses import explain

MAX_BATCH_FILES = 200
MANY_FILES = {
    "files": PartRule(is_file=True, most=MAX_BATCH_FILES),
    "file": PartRule(is_file=True),
}
PAUSE_S = 0.1
BATCH_PATIENCE_S = 60.0
TOP_K = re.compile(r"[1-9][0-9]{0,2}")
TOP_K_RANGE = {"type": "integer", "minimum": 1, "maximum": 999}
DEADLINE = "x-deadline-seconds"
CSV = "text/csv"
RAW = ("audio/*", "image/*", "video/*", "application/octet-stream")
CLIP = form(("file",), file=BINARY) | dict.fromkeys(RAW, BINARY)
CLIP |= {label_studio.JSON: label_studio.TASKS}
OPTIONS = (
    parameter("top_k", "query", "only the k likeliest labels", **TOP_K_RANGE),
    parameter("version", "query", "a version of `GET /models` besides the champion", **TEXT),
    parameter(VERSION, "header", "the same; either overrides a trial of versions", **TEXT),
    parameter(SESSION, "header", "whose answers come from one version in a trial", **TEXT),
    parameter("evidence", "query", "where in the clip the answer comes from", type="boolean"),
    parameter(
        DEADLINE, "header", "seconds from now after which the answer is of no use", type="number"
    ),
)
REFUSED = (400, 404, 408, 409, 413, 415, 422, 429, 503, 504)
PREDICT = openapi_of(*REFUSED, role="anonymous", body=CLIP, parameters=OPTIONS)
BATCH = openapi_of(
    *(400, 404, 408, 409, 413, 415, 429, 503),
    role="anonymous",
    parameters=OPTIONS[:4],
    body=form(("files",), files=many(BINARY)),
    content={CSV: TEXT},
)

router = APIRouter(tags=["predict"])


@router.post("/predict", name="predict", response_model=Prediction | PreAnnotations, **PREDICT)
async def predict_or_annotate(request: Request) -> Response:
    """One clip in; its class, a calibrated confidence and, if asked, the evidence out. Of tasks of
    Label Studio (JSON) pre-annotations."""
    if label_studio.is_tasks(request):
        return await label_studio.pre_annotate(request)
    return await predict(request)


async def predict(request: Request) -> Response:
    service = service_of(request)
    top_k, evidence, version = _options(request.query_params)
    asked, limit = asked_of(request, version), service.domain.limits.max_bytes
    try:
        deadline = _deadline(request)
        with service.admission.room(asked.who) as room:
            raw = await read_clip(request, limit, room.hold)
            found = await predict_clip(service, raw, asked, deadline)
    except TelltaleError as error:
        service.metrics.rejected(type(error).__name__)
        raise
    if evidence:  # the mask of a large photograph takes its time: others need not wait for it
        body = await asyncio.to_thread(
            prediction, found, request_id(request), top_k=top_k, evidence=True
        )
    else:
        body = prediction(found, request_id(request), top_k=top_k)
    return answer(body, headers={"X-Model-Version": found.served.version})


def _options(query: Mapping[str, str]) -> tuple[int | None, bool, str | None]:
    """Raises InvalidParameter."""
    if not query:  # nearly always
        return None, False, None
    refuse_others(query, ("top_k", "evidence", "version"))
    top_k, evidence = query.get("top_k"), query.get("evidence", "false").lower()
    if top_k is not None and not TOP_K.fullmatch(top_k):
        raise InvalidParameter(
            f"top_k must be a whole number from 1 to 999, got {shortened(top_k)}"
        )
    if evidence not in {"true", "false", "1", "0"}:
        raise InvalidParameter(f"evidence must be true or false, got {shortened(evidence)}")
    number = None if top_k is None else int(top_k)
    return number, evidence in {"true", "1"}, query.get("version")


def _deadline(request: Request) -> float:
    """The moment on the monotonic clock after which nobody waits for the answer any more."""
    text = request.headers.get(DEADLINE)
    if text is None:
        return float("inf")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise InvalidParameter(f"{DEADLINE} must be a number of seconds, got {shortened(text)}")
    if seconds <= 0:
        raise DeadlineExceeded("the deadline had passed before the clip was read")
    return time.monotonic() + seconds


@router.post("/batch-predict", response_model=Batch, **BATCH)
async def batch_predict(request: Request) -> Response:
    """Many clips (`files`): a result or an error for each, in order; CSV with Accept: text/csv."""
    service = service_of(request)
    top_k, evidence, version = _options(request.query_params)
    if evidence:
        raise InvalidParameter("the evidence of many clips would be large; ask /predict for each")
    asked = asked_of(request, version)
    service.admission.check(asked.who)

    async def one(file: UploadFile) -> dict[str, Any]:
        found = await _patiently(service, file, asked)
        return prediction(found, request_id(request), top_k=top_k)

    def row(file: UploadFile, told: dict[str, Any] | TelltaleError) -> dict[str, Any]:
        if isinstance(told, TelltaleError):
            told = {"error": problems.problem(*explain(told), request_id(request))}
        return {"file": file.filename, **told}

    async with forms_of(request).read(request, MANY_FILES) as form:
        files = files_of(form, "file", "files")
        if not files:
            raise InvalidParameter("the form has no part 'files'; add clips as -F files=@a.wav")
        told = await few_at_once(files, or_why(service, one))
        results = list(map(row, files, told))
    if preferred(request, (JSON, CSV)) == CSV:
        return Response(as_csv(results), media_type=CSV)
    labels = Counter(row["label"] for row in results if "label" in row)
    confidences = [row["confidence"] for row in results if "label" in row]
    aggregate = {
        "clips": len(results),
        "failed": len(results) - len(confidences),
        "labels": dict(labels.most_common()),
        "mean_confidence": sum(confidences) / len(confidences) if confidences else None,
    }
    return answer({"domain": service.domain.name, "results": results, "aggregate": aggregate})


async def _patiently(service: Replica, file: UploadFile, asked: Asked) -> ScoredClip:
    """Clips of a form that was let in wait a while for a place instead of being refused at once."""
    over = time.monotonic() + BATCH_PATIENCE_S
    while True:
        try:
            with service.admission.room(asked.who) as room:
                await file.seek(0)
                raw = await file.read(service.domain.limits.max_bytes + 1)
                room.hold(len(raw))
                return await predict_clip(service, raw, asked)
        except Overloaded:
            if time.monotonic() > over:
                raise
            await asyncio.sleep(PAUSE_S)
