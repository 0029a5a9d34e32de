"""Kept clips of the fake service: one that waits, one with a flag, and what is decided of them."""

import hashlib
import time
from collections.abc import Callable
from typing import Any

from fake_world import Problem, World, now
from fastapi import FastAPI, Request
from fastapi.responses import Response
from sounds import tone

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
) -> str:
    """A recording of its own, or the photograph `raw`; its sha256."""
    raw = raw or tone(400, seconds=0.5, seed=len(world.clips))
    clip = hashlib.sha256(raw).hexdigest()
    world.clips[clip] = {
        "domain": domain,
        "raw": raw,
        "mask": mask,
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
        },
    }
    return clip


def offer(app: FastAPI, world: World, admin: Callable[[Request], None]) -> None:
    def find(clip: str) -> dict[str, Any]:
        if clip not in world.clips:
            raise Problem(404, "Unknown name", "there is no such clip")
        return world.clips[clip]

    @app.get("/{domain}/clips")
    def clips(
        domain: str, request: Request, state: str | None = None, flagged: bool = False
    ) -> dict[str, Any]:
        admin(request)
        rows = [one["row"] for one in world.clips.values() if one["domain"] == domain]
        rows = [row for row in rows if state in (None, row["state"])]
        return {"domain": domain, "clips": [row for row in rows if row["flags"] or not flagged]}

    @app.get("/{domain}/clips/{clip}/content")
    def content(clip: str, request: Request) -> Response:
        admin(request)
        time.sleep(world.content_s.get(clip, 0.0))
        return Response(find(clip)["raw"], media_type="application/octet-stream")

    @app.get("/{domain}/clips/{clip}/mask")
    def mask(clip: str, request: Request) -> Response:
        admin(request)
        return Response(find(clip)["mask"], media_type="application/octet-stream")

    @app.post("/{domain}/clips/{clip}/accept")
    def accept(clip: str, request: Request) -> dict[str, Any]:
        admin(request)
        find(clip)["row"].update(state="accepted", flags=[])
        return dict(find(clip)["row"])

    @app.post("/{domain}/clips/{clip}/reject")
    def reject(clip: str, body: dict[str, str], request: Request) -> dict[str, Any]:
        admin(request)
        find(clip)["row"].update(state="rejected", reason=body["reason"], flags=[])
        return dict(find(clip)["row"])

    @app.post("/{domain}/clips/{clip}/relabel")
    def relabel(clip: str, body: dict[str, str], request: Request) -> dict[str, Any]:
        admin(request)
        find(clip)["row"].update(label=body["label"])
        return dict(find(clip)["row"])
