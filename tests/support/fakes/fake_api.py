"""A small service that keeps the HTTP contract, for the client and the page to talk to: what it
answers is validated by the models that the real routes declare.

`World.hiccups` makes the next predictions fail with 503, to see who tries again, `World.busy`
with 429 and a second to wait, and
`World.drop_after` breaks an event stream off once.
"""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Form, Request, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse

from data.domains.run_options import RunOptions
from serve_app.client.account_answers import Me
from serve_app.client.answers import Domains, Prediction, Receipt, Receipts
from serve_app.client.service_answers import FollowedRun, Move, Run, Runs, Status, Versions
from support.fakes import fake_clips, fake_health, fake_live, fake_many
from support.fakes.fake_world import (
    DESCRIPTIONS,
    LABELS,
    MODALITIES,
    TITLES,
    Problem,
    World,
    answered,
    domain_status,
    now,
    perceive,
    train,
)

ADMIN, CONTRIBUTOR = "an-admin-key-for-tests", "a-contributor-key-for-tests"
CALLERS = {f"Bearer {ADMIN}": ("anna", "admin"), f"Bearer {CONTRIBUTOR}": ("carl", "contributor")}


def create(world: World) -> FastAPI:
    app = FastAPI()

    @app.exception_handler(Problem)
    def problem(request: Request, error: Problem) -> JSONResponse:
        body = {"type": "about:blank", "title": error.title, "status": error.status}
        return JSONResponse(
            {**body, "detail": error.detail, "request_id": "r-1"},
            error.status,
            headers={"X-Request-ID": "r-1"} | error.headers,
            media_type="application/problem+json",
        )

    def caller(request: Request, least: str = "contributor") -> tuple[str, str]:
        header = request.headers.get("authorization", "")
        if not header:
            how = "send it as 'Authorization: Bearer <key>'"
            raise Problem(401, "Unauthorized", f"this needs a key with the role {least}: {how}")
        if header not in CALLERS:
            raise Problem(401, "Unauthorized", "nobody has this key")
        return CALLERS[header]

    def admin(request: Request) -> None:
        name, role = caller(request, "admin")
        if role != "admin":
            said = f"this needs the role admin; the key of {name} has {role}"
            raise Problem(403, "Forbidden", said)

    def known(domain: str) -> None:
        if domain not in LABELS:
            known_names = ", ".join(LABELS)
            raise Problem(
                404, "Unknown name", f"there is no domain {domain!r}; the domains are {known_names}"
            )

    @app.get("/domains", response_model=Domains)
    def domains() -> dict[str, Any]:
        return {
            "domains": [
                {
                    "name": name,
                    "title": TITLES[name],
                    "description": DESCRIPTIONS[name],
                    "disclaimer": "A hint for a technician, not a diagnosis."
                    if name == "faults"
                    else "",
                    "labels": labels,
                    "modality": MODALITIES[name],
                    "task": "segment" if MODALITIES[name] == "image" else "classify",
                    "prefix": f"/{name}",
                    "limits": {
                        "max_bytes": 20_000_000,
                        "max_duration_s": 60,
                        "max_recording_s": 3600,
                        "max_pixels": 50_000_000,
                    },
                    "sample_rate_hz": 16_000 if name == "faults" else 8_000,
                    "window_s": 5.0 if name == "faults" else 1.0,
                    "live": name == "keywords",
                    "keeps_predictions": name == "faults",
                    "history": name != "cracks",
                }
                for name, labels in LABELS.items()
            ]
        }

    @app.get("/me", response_model=Me)
    def me(request: Request) -> dict[str, Any]:
        name, role = caller(request)
        quota = {"requests_per_minute": world.requests_per_minute}
        return {"name": name, "role": role, "limits": {"max_bytes": 1}} | quota

    @app.get("/status", response_model=Status)
    def status() -> dict[str, Any]:
        return {
            "domains": {name: domain_status(world, name) for name in LABELS},
            "curator": "ok",
            "uptime_s": 61.0,
        }

    @app.post("/{domain}/predict", response_model=Prediction)
    def predict(domain: str, file: UploadFile, request: Request) -> dict[str, Any]:
        known(domain)
        if request.headers.get("authorization"):
            caller(request)
        if world.busy:
            world.busy -= 1
            raise Problem(429, "Overloaded", "too many clips wait", retry_after_s=1)
        if world.hiccups:
            world.hiccups -= 1
            raise Problem(503, "Not ready", "no replica is ready; try again in a moment")
        evidence = request.query_params.get("evidence") == "true"
        return answered(world, domain, file.file.read()) | ({} if evidence else {"evidence": None})

    @app.post("/{domain}/feedback", status_code=201, response_model=Receipt)
    def feedback(
        domain: str,
        request: Request,
        file: UploadFile,
        label: str = Form(""),
        mask: UploadFile | None = None,
    ) -> dict[str, Any]:
        known(domain)
        label = "crack" if mask and not label else label
        if label not in LABELS[domain]:
            raise Problem(404, "Unknown name", f"{domain} has no label {label!r}")
        raw = file.file.read()
        heard = perceive(domain, raw)
        counts = request.headers.get("authorization") in CALLERS
        receipt = uuid.uuid4().hex[:12]
        if mask:
            world.masks[receipt] = mask.file.read()
        seen = {"label": heard["label"], "confidence": heard["confidence"]}
        world.feedback[receipt] = {
            "receipt": receipt,
            "state": "accepted" if counts else "quarantined",
            "reason": "" if counts else "sent without a key: a person has to accept it first",
            "domain": domain,
            "clip": hashlib.sha256(raw).hexdigest(),
            "label": label,
            "mask": hashlib.sha256(world.masks[receipt]).hexdigest() if mask else None,
            "predicted": seen["label"],
            "confidence": seen["confidence"],
            "created": now(),
            "before": {**seen, "version": world.champion(domain)["version"]},
            "snapshot": None,
            "version": None,
            "after": None,
        }
        return world.feedback[receipt]

    @app.get("/{domain}/feedback", response_model=Receipts)
    def own_receipts(domain: str, request: Request) -> dict[str, Any]:
        caller(request)
        return {"feedback": [row for row in world.feedback.values() if row["domain"] == domain]}

    @app.get("/{domain}/feedback/{receipt}", response_model=Receipt)
    def life_line(domain: str, receipt: str) -> dict[str, Any]:
        if receipt not in world.feedback:
            raise Problem(404, "Unknown name", f"there is no receipt {receipt!r}")
        return world.feedback[receipt]

    @app.post("/{domain}/retrain", status_code=202, response_model=Run)
    def retrain(domain: str, body: dict[str, Any], request: Request) -> dict[str, Any]:
        admin(request)
        known(domain)
        if any(run["state"] in {"queued", "running"} for run in world.runs[domain]):
            raise Problem(409, "Conflict", f"a retrain of {domain} is under way")
        given = {name: body[name] for name in RunOptions.model_fields if name in body}
        options = RunOptions.model_validate(given)
        run: dict[str, Any] = {
            "id": uuid.uuid4().hex[:8],
            "domain": domain,
            "mode": body["mode"],
            "state": "queued",
            "reason": body["reason"],
            "options": options.changed(),
            "who": "admin",
            "created": now(),
            "finished": None,
            "result": None,
        }
        world.runs[domain].insert(0, run)
        world.events[run["id"]] = []
        threading.Thread(target=train, args=(world, run), daemon=True).start()
        return run

    @app.get("/{domain}/retrain", response_model=Runs)
    def runs(domain: str, request: Request) -> dict[str, Any]:
        admin(request)
        return {"runs": world.runs[domain]}

    def find(domain: str, run_id: str) -> dict[str, Any]:
        for run in world.runs[domain]:
            if run["id"] == run_id:
                return run
        raise Problem(404, "Unknown name", f"there is no run {run_id!r}")

    @app.get("/{domain}/retrain/{run_id}", response_model=FollowedRun)
    def one_run(domain: str, run_id: str, request: Request) -> dict[str, Any]:
        admin(request)
        return {**find(domain, run_id), "events": world.events[run_id]}

    @app.delete("/{domain}/retrain/{run_id}", response_model=Run)
    def cancel(domain: str, run_id: str, request: Request) -> dict[str, Any]:
        admin(request)
        run = find(domain, run_id)
        if run["state"] not in {"queued", "running"}:
            raise Problem(409, "Conflict", f"run {run_id} has ended already: {run['state']}")
        run["state"] = "cancelled"
        return run

    @app.get("/{domain}/retrain/{run_id}/events")
    def events(domain: str, run_id: str, request: Request) -> StreamingResponse:
        admin(request)
        run = find(domain, run_id)
        after = int(request.headers.get("last-event-id", "0"))
        return StreamingResponse(stream(world, run, after), media_type="text/event-stream")

    @app.get("/{domain}/models", response_model=Versions)
    def models(domain: str) -> dict[str, Any]:
        known(domain)
        return {"domain": domain, "versions": world.versions[domain]}

    def moved(domain: str, row: dict[str, Any]) -> dict[str, Any]:
        told = {"replicas": 2, "agree": True, "seconds": 0.2}
        return {"domain": domain, "version": row["version"], "digest": row["digest"], **told}

    @app.post("/{domain}/models/rollback", response_model=Move)
    def rollback(domain: str, request: Request) -> dict[str, Any]:
        admin(request)
        for row in world.versions[domain]:
            if "previous" in row["aliases"]:
                return moved(domain, world.crown(domain, row["version"]))
        raise Problem(409, "Conflict", f"{domain} has no previous version to go back to")

    @app.post("/{domain}/models/{version}/promote", response_model=Move)
    def promote(domain: str, version: str, request: Request) -> dict[str, Any]:
        admin(request)
        return moved(domain, world.crown(domain, version))

    fake_clips.offer(app, world, admin)
    fake_health.offer(app, world, admin)
    fake_many.offer(app, world)
    fake_live.offer(app, world, ADMIN)
    return app


def stream(world: World, run: dict[str, Any], after: int) -> Iterator[str]:
    sent = 0
    while True:
        for event in list(world.events[run["id"]])[after:]:
            if world.drop_after and sent == world.drop_after:
                world.drop_after = 0
                return
            data = json.dumps({key: event[key] for key in ("at", "kind", "detail")})
            yield f"event: {event['kind']}\nid: {event['id']}\ndata: {data}\n\n"
            after, sent = event["id"], sent + 1
            if event["kind"] == "finished":
                return
        yield ": still here\n\n"
        time.sleep(0.02)
