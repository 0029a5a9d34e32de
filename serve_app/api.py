"""The routes anybody may call: what is served, and a clip's way to a prediction."""

import asyncio
import csv
import io
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from data.domain import load_domains
from data.errors import InvalidParameter, TelltaleError
from serve_app import admin, clips, errors, metrics
from serve_app.auth import Keyring
from serve_app.limits import read_clip
from serve_app.replies import answer, caller_of, request_id, service_of
from serve_app.schemas import Prediction, Problem, domain_facts, prediction

if TYPE_CHECKING:
    from serve_app.service import Answer, DomainService

MAX_BATCH_FILES = 200
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (400, 401, 413, 415, 422, 429, 503)
}
CLIP_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "audio/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


def build_api(service: "DomainService") -> FastAPI:
    domain = service.domain
    app = FastAPI(title=f"Telltale: {domain.title}", description=domain.description)
    errors.install(app)
    app.state.service = service
    app.state.keyring = Keyring(
        service.settings.admin_key, service.settings.home.root / "keys.json"
    )
    for router in (public, clips.router, admin.router):
        app.include_router(router)
        app.include_router(router, prefix="/api", include_in_schema=False)
    app.add_middleware(OwnPrefix, name=domain.name)
    return app


class OwnPrefix:
    """The first domain is served at `/`, and at `/<its name>` as every domain is."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._prefix = f"/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(self._prefix + "/") and not scope.get("root_path"):
            scope = dict(scope, root_path=self._prefix)
        await self._app(scope, receive, send)


public = APIRouter()


@public.get("/", include_in_schema=False)
async def home() -> Response:
    return RedirectResponse("/ui")


@public.get("/health", tags=["service"])
@public.get("/ping", include_in_schema=False)
async def health(request: Request) -> Response:
    """This replica's process is up: uptime, counts and mean time of an answer."""
    service = service_of(request)
    uptime_s = round(time.time() - service.started, 1)
    return answer({"status": "ok", "uptime_s": uptime_s, **service.metrics.summary()})


@public.get("/ready", tags=["service"], responses={503: {"model": Problem}})
async def ready(request: Request) -> Response:
    """200 only when every served domain has a warm replica."""
    service = service_of(request)
    status = await cluster_status(service)
    missing = [name for name in service.settings.domains if not _is_warm(status, name)]
    if missing:
        detail = f"no warm replica yet for {', '.join(missing)}"
        return answer(errors.problem(503, "Not ready", detail, request_id(request)), 503)
    return answer({"status": "ready", "domains": list(service.settings.domains)})


def _is_warm(status: dict[str, Any], name: str) -> bool:
    replicas = status["domains"].get(name, {}).get("replicas", [])
    return any(replica["version"] is not None for replica in replicas)


@public.get("/status", tags=["service"])
async def status(request: Request) -> Response:
    """Champions, replicas and whether they agree, uploads since the last retrain, jobs."""
    return answer(await cluster_status(service_of(request)))


async def cluster_status(service: "DomainService") -> dict[str, Any]:
    """The curator's view of all domains; this replica's own where the curator is away."""
    try:
        async with asyncio.timeout(2):
            found: dict[str, Any] = await service.curator.status.remote()
            return {**found, "curator": "ok"}
    except Exception:
        own = {"title": service.domain.title, "replicas": [service.describe()]}
        return {"domains": {service.domain.name: own}, "curator": "away"}


@public.get("/domains", tags=["service"])
async def domains(request: Request) -> Response:
    names = service_of(request).settings.domains
    found = await asyncio.to_thread(load_domains, names=names)
    return answer({"domains": [domain_facts(d, f"/{name}") for name, d in found.items()]})


@public.get("/model-info", tags=["service"], responses={503: {"model": Problem}})
async def model_info(request: Request) -> Response:
    """The champion's card: data, licence, split, metrics per class."""
    served = service_of(request).champion.served
    return answer(
        {
            "domain": served.domain.name,
            "version": served.version,
            "digest": served.digest,
            "card": served.bundle.card.model_dump(mode="json"),
        }
    )


@public.post(
    "/predict",
    tags=["predict"],
    openapi_extra=CLIP_BODY,
    responses={200: {"model": Prediction}, **PROBLEMS},
)
async def predict(
    request: Request,
    top_k: int | None = Query(None, ge=1, description="only the k likeliest labels"),
    evidence: bool = Query(False, description="where in the clip the answer comes from"),
) -> Response:
    """One clip in; its class, a calibrated confidence and, if asked, the evidence out."""
    service = service_of(request)
    caller_of(request)
    deadline = _deadline(request)
    raw = await read_clip(request, service.domain.limits.max_bytes)
    found = await service.predict(raw, deadline)
    body = prediction(found, request_id(request), top_k=top_k, evidence=evidence)
    return answer(body, headers={"X-Model-Version": found.served.version})


def _deadline(request: Request) -> float:
    """`X-Request-Timeout-Seconds` as a moment on the monotonic clock."""
    text = request.headers.get("x-request-timeout-seconds")
    if text is None:
        return float("inf")
    try:
        return time.monotonic() + float(text)
    except ValueError:
        raise InvalidParameter(
            f"X-Request-Timeout-Seconds must be a number of seconds, got {text!r}"
        ) from None


@public.post("/batch-predict", tags=["predict"], responses=PROBLEMS)
async def batch_predict(request: Request) -> Response:
    """Many clips (`files`): a result or an error for each, in order; CSV with Accept: text/csv."""
    service = service_of(request)
    caller_of(request)
    async with request.form(max_files=MAX_BATCH_FILES) as form:
        files = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
        if not files:
            raise InvalidParameter(
                "the form has no part named 'files'; add clips as -F files=@a.wav"
            )
        results = await asyncio.gather(*(_one_of_many(service, file) for file in files))
    labels = Counter(row["label"] for row in results if "label" in row)
    confidences = [row["confidence"] for row in results if "label" in row]
    body = {
        "domain": service.domain.name,
        "results": results,
        "aggregate": {
            "clips": len(results),
            "failed": len(results) - len(confidences),
            "labels": dict(labels.most_common()),
            "mean_confidence": sum(confidences) / len(confidences) if confidences else None,
        },
    }
    if "text/csv" in request.headers.get("accept", ""):
        return Response(_as_csv(results), media_type="text/csv")
    return answer(body)


async def _one_of_many(service: "DomainService", file: UploadFile) -> dict[str, Any]:
    try:
        raw = await file.read(service.domain.limits.max_bytes + 1)
        found: Answer = await service.predict(raw)
    except TelltaleError as error:
        return {"file": file.filename, "error": errors.problem(*errors.explain(error), "")}
    return {"file": file.filename, **prediction(found, "")}


def _as_csv(results: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["file", "label", "confidence", "unknown", "version", "error"])
    for row in results:
        if "error" in row:
            rows.writerow([row["file"], "", "", "", "", row["error"]["detail"]])
        else:
            version = row["model"]["version"]
            rows.writerow(
                [row["file"], row["label"], row["confidence"], row["unknown"], version, ""]
            )
    return out.getvalue()


@public.get("/metrics", tags=["service"])
async def all_metrics(request: Request) -> Response:
    """The cluster's series as Prometheus text, or as JSON with Accept: application/json."""
    text = await asyncio.to_thread(metrics.scrape)
    if "application/json" in request.headers.get("accept", ""):
        return answer(await asyncio.to_thread(metrics.as_json, text))
    return Response(text, media_type="text/plain; version=0.0.4")
