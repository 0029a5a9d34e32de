"""Kept clips of the fake service: one that waits, one with a flag, and what is decided of them."""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Form, Request, UploadFile
from fastapi.responses import Response

from serve_app.client.answers import Clips, Forgotten, KeptClip, Receipt, Uploads
from serve_app.client.kept_answers import KeptPredictions
from support.fakes.fake_world import LABELS, Problem, World, now
from support.inputs.sounds import tone

FLAG = {"kind": "label", "reason": "it sounds more like fluid (0.91)", "score": 0.91}


def keep(
    world: World,
    domain: str,
    label: str,
    *,
    state: str,
    flagged: bool = False,
    raw: bytes = b"",
    mask: bytes | None = None,
    waiting: tuple[str, bytes | None] | None = None,
    model: str = "",
) -> str:
    """A recording of its own, or the photograph `raw`; its sha256. `waiting` is a correction of it:
    label and mask."""
    raw = raw or tone(400, seconds=0.5, seed=len(world.clips))
    clip = hashlib.sha256(raw).hexdigest()
    world.clips[clip] = {
        "domain": domain,
        "raw": raw,
        "mask": mask,
        "waiting_mask": waiting[1] if waiting else None,
        "before": [],  # the row as it was before each decision
        "row": {
            "clip": clip,
            "label": label,
            "mask": hashlib.sha256(mask).hexdigest() if mask else None,
            "state": state,
            "reason": "",
            "who": "anonymous",
            "source": "upload",
            "duration_s": 0.5,
            "created": now(),
            "flags": [FLAG] if flagged else [],
            "waiting": [correction(domain, clip, *waiting)] if waiting else [],
            "model": {"label": model, "confidence": 0.9, "version": "1"} if model else None,
            "may_forget": True,
        },
    }
    return clip


def correction(domain: str, clip: str, label: str, mask: bytes | None) -> dict[str, Any]:
    return {
        "receipt": f"receipt-{clip[:8]}",
        "state": "quarantined",
        "domain": domain,
        "clip": clip,
        "label": label,
        "mask": hashlib.sha256(mask).hexdigest() if mask else None,
        "predicted": "normal",
        "confidence": 0.7,
        "created": now(),
        "before": {"label": "normal", "confidence": 0.7, "version": "1"},
    }


def answer(world: World, domain: str, label: str) -> int:
    """A kept answer that people may be asked about; its number."""
    raw = tone(300, seconds=0.5, seed=len(world.predictions))
    number = len(world.predictions) + 1
    expires = datetime.now(UTC) + timedelta(days=7)
    world.predictions[number] = {
        "domain": domain,
        "raw": raw,
        "row": {
            "id": number,
            "clip": hashlib.sha256(raw).hexdigest(),
            "has_clip": True,
            "version": "1",
            "label": label,
            "confidence": 0.4,
            "unknown": False,
            "why": "unsure",
            "probabilities": {label: 0.4},
            "created": now(),
            "expires": expires.isoformat(),
        },
    }
    return number


def offer(app: FastAPI, world: World, admin: Callable[[Request], None]) -> None:
    def find(clip: str) -> dict[str, Any]:
        if clip not in world.clips:
            raise Problem(404, "Unknown name", "there is no such clip")
        return world.clips[clip]

    def decide(clip: str, **changes: Any) -> dict[str, Any]:
        row = find(clip)["row"]
        before = dict(row)
        row.update(changes)
        if row != before:  # what changes nothing is no review
            find(clip)["before"].append(before)
        return dict(row)

    @app.get("/{domain}/clips", response_model=Clips)
    def clips(
        domain: str,
        request: Request,
        state: str | None = None,
        label: str | None = None,
        flagged: bool = False,
        waiting: bool = False,
        order: str = "newest",
        limit: int = 100,
    ) -> dict[str, Any]:
        admin(request)
        rows = [one["row"] for one in world.clips.values() if one["domain"] == domain]
        rows = [row for row in rows if state in (None, row["state"])]
        rows = [row for row in rows if label in (None, row["label"])]
        rows = [
            row for row in rows if not waiting or row["state"] == "quarantined" or row["waiting"]
        ]
        if order == "disagreement":
            rows.sort(key=lambda row: row["model"] is None)
        rows = [row for row in rows if row["flags"] or not flagged]
        return {"domain": domain, "clips": rows[:limit]}

    @app.get("/{domain}/predictions", response_model=KeptPredictions)
    def predictions(domain: str, request: Request, order: str) -> dict[str, Any]:
        admin(request)
        kept = [one["row"] for one in world.predictions.values() if one["domain"] == domain]
        return {"domain": domain, "predictions": kept if order == "ask" else kept[::-1]}

    @app.get("/{domain}/predictions/{number}/content")
    def predicted(number: int, request: Request) -> Response:
        admin(request)
        return Response(world.predictions[number]["raw"], media_type="application/octet-stream")

    @app.post("/{domain}/predictions/{number}/label", status_code=201, response_model=Receipt)
    def say(domain: str, number: int, body: dict[str, str], request: Request) -> dict[str, Any]:
        admin(request)
        clip = world.predictions.pop(number)["row"]["clip"]
        return {**correction(domain, clip, body["label"], None), "state": "accepted"}

    @app.post("/{domain}/upload", response_model=Uploads)
    def upload(
        domain: str,
        request: Request,
        files: list[UploadFile],
        masks: list[UploadFile] | None = None,
        label: str = Form(""),
    ) -> dict[str, Any]:
        admin(request)
        label = "crack" if masks else label
        (file,), drawn = files, masks[0].file.read() if masks else None
        if label not in LABELS[domain]:
            raise Problem(404, "Unknown name", f"{domain} has no label {label!r}")
        raw = file.file.read()
        known = hashlib.sha256(raw).hexdigest() in world.clips
        clip = keep(world, domain, label, state="accepted", raw=raw, mask=drawn)
        outcome = "duplicate" if known else "stored"
        row = {"file": file.filename, "outcome": outcome, "clip": clip, "label": label}
        return {"domain": domain, "results": [row | {"reason": ""}], "counts": {outcome: 1}}

    @app.delete("/{domain}/clips/{clip}", response_model=Forgotten)
    def forget(clip: str, request: Request) -> dict[str, Any]:
        admin(request)
        find(clip)
        del world.clips[clip]
        return {"clip": clip, "versions": ["2"], "message": "version 2 still remembers it"}

    @app.get("/{domain}/clips/{clip}/content")
    def content(clip: str, request: Request) -> Response:
        admin(request)
        time.sleep(world.content_s.get(clip, 0.0))
        return Response(find(clip)["raw"], media_type="application/octet-stream")

    @app.get("/{domain}/clips/{clip}/mask")
    def mask(clip: str, request: Request) -> Response:
        admin(request)
        return Response(find(clip)["mask"], media_type="application/octet-stream")

    def corrected(receipt: str) -> dict[str, Any]:
        return find(next(clip for clip in world.clips if receipt == f"receipt-{clip[:8]}"))

    @app.get("/{domain}/feedback/{receipt}/mask")
    def waiting_mask(receipt: str, request: Request) -> Response:
        admin(request)
        return Response(corrected(receipt)["waiting_mask"], media_type="application/octet-stream")

    @app.post("/{domain}/feedback/{receipt}/accept", response_model=Receipt)
    def accept_correction(receipt: str, request: Request) -> dict[str, Any]:
        admin(request)
        row = corrected(receipt)["row"]
        (said,) = row["waiting"]
        decide(row["clip"], label=said["label"], mask=said["mask"], state="accepted", waiting=[])
        return {**said, "state": "accepted"}

    @app.post("/{domain}/clips/{clip}/accept", response_model=KeptClip)
    def accept(clip: str, request: Request) -> dict[str, Any]:
        admin(request)
        return decide(clip, state="accepted", flags=[], waiting=[])

    @app.post("/{domain}/clips/{clip}/reject", response_model=KeptClip)
    def reject(clip: str, body: dict[str, str], request: Request) -> dict[str, Any]:
        admin(request)
        return decide(clip, state="rejected", reason=body["reason"], flags=[])

    @app.post("/{domain}/clips/{clip}/relabel", response_model=KeptClip)
    def relabel(clip: str, body: dict[str, str], request: Request) -> dict[str, Any]:
        admin(request)
        return decide(clip, label=body["label"])

    @app.post("/{domain}/clips/{clip}/undo", response_model=KeptClip)
    def undo(clip: str, request: Request) -> dict[str, Any]:
        admin(request)
        if not find(clip)["before"]:
            raise Problem(409, "Conflict", f"clip {clip[:12]} has no review that could be undone")
        find(clip)["row"] = find(clip)["before"].pop()
        return dict(find(clip)["row"])
