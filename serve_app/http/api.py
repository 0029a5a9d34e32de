"""The routes of the service itself: is it up, what does it serve, how does it fare."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from data.domains.domain import load_domains
from data.home import Home
from data.store.disk import disk_trouble
from serve_app.client.answers import Domains
from serve_app.client.service_answers import (
    Health,
    ModelInfo,
    Readiness,
    Ready,
    Series,
    Status,
    Unready,
)
from serve_app.http import docs, openapi, problems
from serve_app.http.answers.answer_bodies import domain_info, json_fields
from serve_app.http.answers.responses import answer, caller_of, preferred, request_id, service_of
from serve_app.http.auth import Caller, Keyring
from serve_app.http.fast_path import FastPathApp
from serve_app.http.openapi import TEXT, openapi_of
from serve_app.http.protocols import (
    inference_protocol,
    legacy_routes,
    tus_routes,
)
from serve_app.http.replica import Replica
from serve_app.http.request_timing import RequestTiming
from serve_app.http.requests.forms import Forms
from serve_app.http.requests.recordings import Recordings
from serve_app.http.routes import (
    analyze_routes,
    clip_routes,
    feedback_routes,
    history_routes,
    insights,
    job_routes,
    kept_routes,
    key_routes,
    label_studio,
    predict_routes,
    retrain_routes,
    stream_routes,
    upload_routes,
)
from serve_app.http.threads import looking
from serve_app.key_file import known_keys, trouble_of
from serve_app.replica import series
from serve_app.replica.shared_look import SharedLook
from serve_app.settings import START_HEADER

OF_TUS = (
    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size"),
    *("Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires"),
)
PATIENCE_S = 2.0
LOOK_PATIENCE_S = 1.0  # half of it: a look that hangs may be the second that is waited for
UNSEEN = "TELLTALE_HOME cannot be looked at (no answer within a second)"
NOBODY = {"who": "", "reason": ""}
PARTS_AT_ONCE = 8  # of recordings
READINESS = openapi_of()
READINESS["responses"][503] = {"model": Unready, "description": "Not ready"}
PLAIN = "text/plain"
METRICS = openapi_of(503, content={PLAIN: TEXT})


def build_api(service: Replica) -> ASGIApp:
    domain = service.domain
    title = f"Telltale: {domain.title}"
    app = FastAPI(
        title=title,
        description=domain.description,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # `unrouted.py` does that in words
    )
    docs.install(app)
    openapi.install(app)
    problems.install(app)
    app.state.service = service
    app.state.forms = Forms()
    app.state.insights = insights.FreshInsights()
    app.state.states = SharedLook[list[Readiness]]()
    app.state.status = SharedLook[dict[str, Any]]()
    app.state.troubles = SharedLook[tuple[str, ...]]()
    app.state.metrics = SharedLook[dict[str, Any]]()
    app.state.recordings = Recordings()
    app.state.arriving = Recordings(PARTS_AT_ONCE)
    app.state.streams = stream_routes.Streams()
    root = service.settings.home.root
    keyring = Keyring(service.settings.admin_key, lambda: known_keys(service.store.keys, root))
    app.state.keyring = keyring
    app.include_router(legacy_routes.router)  # before `/api` is the same as without it
    parts = (
        predict_routes,
        feedback_routes,
        upload_routes,
        clip_routes,
        kept_routes,
        retrain_routes,
        analyze_routes,
        job_routes,
        tus_routes,
        stream_routes,
        key_routes,
        history_routes,
    )
    for router in (public, *(part.router for part in parts)):
        app.include_router(router)
        app.include_router(router, prefix="/api", include_in_schema=False)
    for router in (inference_protocol.router, label_studio.router, insights.router):
        app.include_router(router)
    predict, token = predict_routes.predict_or_annotate, service.settings.start_token
    fast_path = FastPathApp(app, domain.name, predict, keyring, token)
    timed = RequestTiming(fast_path, service.metrics.requested)
    return _open_to_pages(timed, service.settings.cors_origins)


def _open_to_pages(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Lets pages of these origins ask from a browser; without any, browsers refuse that."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
        allow_headers=("*",),  # a key is a header, so nothing is sent that a page does not know
        expose_headers=(*("X-Request-ID", "X-Model-Version", "Retry-After", "Location"), *OF_TUS),
    )


public = APIRouter()


@public.get("/", include_in_schema=False)
async def home() -> Response:
    return RedirectResponse("/ui")


@public.get("/health", tags=["service"], **openapi_of())
@public.head("/health", include_in_schema=False)
@public.get("/ping", include_in_schema=False)
@public.get("/livez", include_in_schema=False)
@public.get("/healthz", include_in_schema=False)
async def health(request: Request) -> Health:
    """This replica's process is up: its machine, uptime, counts and mean time of an answer."""
    service = service_of(request)
    uptime_s, counts = round(time.time() - service.started, 1), service.metrics.summary()
    return Health(
        status="ok",
        node=service.node,
        uptime_s=uptime_s,
        uptime_seconds=uptime_s,
        model_available=service.champion.loaded,
        total_predictions=counts["predictions"],
        avg_processing_time=(counts["mean_ms"] or 0.0) / 1e3,
        **counts,
    )


@public.get("/ready", tags=["service"], response_model=Ready, **READINESS)
@public.head("/ready", include_in_schema=False)
@public.get("/readyz", include_in_schema=False)
async def ready(request: Request) -> Response:
    """200 only when every served domain has a warm replica; the curator is not asked."""
    service = service_of(request)
    names = service.settings.domains
    shared: SharedLook[list[Readiness]] = request.app.state.states
    states, warnings = await asyncio.gather(
        shared.get(lambda: _states(service)), _warnings(request)
    )
    found = dict(zip(names, states, strict=True))
    facts: dict[str, Any] = {"domains": found, "warnings": warnings, **_yours(request)}
    if set(states) == {"warm"}:
        return answer(json_fields(Ready(status="ready", **facts)))
    missing = ", ".join(f"{name}: {state}" for name, state in found.items() if state != "warm")
    problem = problems.problem(503, "Not ready", missing, request_id(request))
    return answer(json_fields(Unready(**problem, **facts)), 503, kind=openapi.PROBLEM)


def _yours(request: Request) -> dict[str, bool]:
    """A start asks whether it is its own service that answers, with a token that only it knows."""
    asked = request.headers.get(START_HEADER)
    if asked is None:
        return {}
    own = service_of(request).settings.start_token
    return {"yours": secrets.compare_digest(asked.encode(), own.encode())}


async def _warnings(request: Request) -> list[str]:
    """What whoever runs the service should mend before it stops working."""
    keyring: Keyring = request.app.state.keyring
    shared: SharedLook[tuple[str, ...]] = request.app.state.troubles
    troubles = await shared.get(lambda: _troubles(service_of(request).settings.home))
    return [trouble for trouble in dict.fromkeys((*troubles, keyring.trouble)) if trouble]


async def _troubles(home: Home) -> tuple[str, ...]:
    """Of the home's disk and keys; predictions need neither, so one that hangs is told of."""
    try:
        async with asyncio.timeout(LOOK_PATIENCE_S):
            return await looking(lambda: (disk_trouble(home), trouble_of(home.root)))
    except TimeoutError:
        return (UNSEEN,)


async def _states(service: Replica) -> list[Readiness]:
    return await asyncio.gather(*(_readiness(service, name) for name in service.settings.domains))


async def _readiness(service: Replica, name: str) -> Readiness:
    if name in service.beside:
        return "warm" if service.beside[name].champion.loaded else "no model yet"
    try:
        async with asyncio.timeout(PATIENCE_S):
            found: dict[str, Any] = await service.peer(name).describe.remote(name)
    except Exception:  # whatever keeps a replica from answering
        return "no replica"
    return "warm" if found["version"] is not None else "no model yet"


@public.get("/status", tags=["service"], **openapi_of(role="anonymous"))
async def status(request: Request) -> Status:
    """Champions, replicas and whether they agree, uploads since the last retrain, jobs."""
    service, caller = service_of(request), caller_of(request)
    shared: SharedLook[dict[str, Any]] = request.app.state.status
    found, warnings = await asyncio.gather(
        shared.get(lambda: _cluster_status(service)), _warnings(request)
    )
    uptime_s = round(time.time() - service.started, 1)
    facts = {**_open_to(caller, found), "uptime_s": uptime_s, "warnings": warnings}
    return Status.model_validate(facts)


async def _cluster_status(service: Replica) -> dict[str, Any]:
    """The curator's view of all domains; this process's own where the curator is away."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            found: dict[str, Any] = await service.curator.status.remote()
            return {**found, "curator": "ok"}
    except Exception:  # whatever keeps the curator from answering
        own = {
            name: {"title": each.domain.title, "replicas": [each.describe()], "agree": True}
            for name, each in service.beside.items()
        }
        return {"domains": own, "curator": "away"}


def _open_to(caller: Caller, found: dict[str, Any]) -> dict[str, Any]:
    """Who ordered a retrain and why is not for everybody."""
    if caller.may("viewer"):
        return found
    domains = {
        name: row | {"running": [run | NOBODY for run in row.get("running", [])]}
        for name, row in found["domains"].items()
    }
    return found | {"domains": domains}


@public.get("/domains", tags=["service"], **openapi_of())
async def domains(request: Request) -> Domains:
    """What is served here, each with its labels and the prefix of its routes."""
    names = service_of(request).settings.domains
    found = await asyncio.to_thread(load_domains, names=names)
    return Domains(domains=tuple(domain_info(d, f"/{name}") for name, d in found.items()))


@public.get("/model-info", tags=["service"], **openapi_of(503))
async def model_info(request: Request) -> ModelInfo:
    """The champion's card: data, licence, split, metrics per class."""
    served = service_of(request).champion.served
    return ModelInfo(
        domain=served.domain.name,
        version=served.version,
        digest=served.digest,
        card=served.bundle.card.model_dump(mode="json"),
    )


@public.get("/metrics", tags=["service"], response_model=Series, **METRICS)
async def all_metrics(request: Request) -> Response:
    """The series of all domains and replicas as Prometheus text; as JSON, with rates and quantiles
    of the last 1, 5 and 60 minutes, with Accept: application/json, or at /api/metrics."""
    service, shared = service_of(request), request.app.state.metrics
    found = await shared.get(lambda: service.ask_curator("metrics"))
    kinds = (openapi.JSON, PLAIN) if "/api/" in request.url.path else (PLAIN, openapi.JSON)
    if preferred(request, kinds) == openapi.JSON:
        return answer({**series.as_json(found["samples"]), "traffic": found["traffic"]})
    text = await asyncio.to_thread(series.as_text, found["samples"])
    return Response(text, media_type=f"{PLAIN}; version=0.0.4")
