"""Kept clips as an admin reviews them: listed with what checks say of them, heard, decided."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from data.errors import UnknownName
from serve_app.client.answers import Clips, Forgotten, KeptClip
from serve_app.http.answer_bodies import Group, Label, Review, kept_clip
from serve_app.http.correction_form import checked_group, must_need_no_mask
from serve_app.http.openapi import BINARY, openapi_of
from serve_app.http.replica import Replica
from serve_app.http.responses import caller_of, service_of
from serve_app.http.routes.feedback_routes import of_domain
from serve_app.http.threads import reading, writing

if TYPE_CHECKING:
    from data.store.clip_rows import Clip
    from data.store.feedback import Feedback
    from data.store.flags import Flag
    from data.store.schema import ClipState

log = logging.getLogger("ray.serve")

OCTETS = "application/octet-stream"
BYTES = openapi_of(404, 422, role="admin", content={OCTETS: BINARY})

router = APIRouter(tags=["review"])


@router.get("/clips", **openapi_of(400, role="admin"))
async def clips(
    request: Request,
    state: Literal["accepted", "quarantined", "rejected"] | None = Query(None),
    label: str | None = Query(None),
    flagged: bool = Query(False),
    waiting: bool = Query(False),
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=10**9),
) -> Clips:
    """Newest first; `flagged=true` only those that a check has something to say of, the worst
    first; `waiting=true` those in quarantine, or with a correction that nobody has decided upon."""
    service = service_of(request)
    caller_of(request, "admin")
    name = service.domain.name

    def found() -> list[KeptClip]:
        return _facts(
            service,
            service.store.clips.find(
                name,
                state=state,
                label=label,
                flagged=flagged,
                waiting=waiting,
                limit=limit,
                offset=offset,
            ),
        )

    return Clips(domain=name, clips=tuple(await reading(found)))


@router.get("/clips/{sha256}", **openapi_of(404, role="admin"))
async def clip(request: Request, sha256: str) -> KeptClip:
    """A kept clip: its label, state, group, and what checks doubt of it."""
    service = service_of(request)
    caller_of(request, "admin")
    return await reading(_one, service, sha256)


@router.get("/clips/{sha256}/content", response_class=Response, **BYTES)
async def content(request: Request, sha256: str) -> Response:
    """The bytes as they were sent, to be heard."""
    return await _bytes(request, lambda service: _get(service, sha256).sha256)


@router.get("/clips/{sha256}/mask", response_class=Response, **BYTES)
async def mask(request: Request, sha256: str) -> Response:
    """Where in a photograph its label is true: a PNG, white there, as large as the photograph."""
    return await _bytes(request, lambda service: _mask(_get(service, sha256).mask))


@router.get("/feedback/{receipt_id}/mask", response_class=Response, **BYTES)
async def correction_mask(request: Request, receipt_id: str) -> Response:
    """The same, as a correction has it."""
    return await _bytes(request, lambda service: _mask(of_domain(service, receipt_id).mask))


def _get(service: Replica, sha256: str) -> "Clip":
    return service.store.clips.get(service.domain.name, sha256)


def _mask(sha256: str | None) -> str:
    if sha256 is None:
        raise UnknownName("it has no mask: its label is true of all of it")
    return sha256


async def _bytes(request: Request, which: Callable[[Replica], str]) -> Response:
    service = service_of(request)
    caller_of(request, "admin")

    def read() -> bytes:
        return service.store.clips.read(which(service))

    # Whoever sent the bytes chose them: a browser must not take them for a page.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment"}
    raw = await reading(read)
    return Response(raw, headers=headers, media_type=OCTETS)


@router.post("/clips/{sha256}/accept", **openapi_of(404, 409, role="admin"))
async def accept(request: Request, sha256: str) -> KeptClip:
    """The clip is right as it is: it counts, and its flags are dismissed."""
    return await _decide(request, sha256, "accepted")


@router.post("/clips/{sha256}/reject", **openapi_of(400, 404, 413, role="admin"))
async def reject(request: Request, sha256: str, review: Review) -> KeptClip:
    """The clip is not learnt from; a version that has learnt it forgets it at the next retrain,
    for which it counts as a new clip does."""
    return await _decide(request, sha256, "rejected", review.reason)


async def _decide(request: Request, sha256: str, state: "ClipState", reason: str = "") -> KeptClip:
    service, caller = service_of(request), caller_of(request, "admin")

    def decide() -> KeptClip:
        name, store = service.domain.name, service.store
        store.clips.set_state(name, sha256, state, who=caller.name, reason=reason)
        store.flags.dismiss(name, sha256, who=caller.name)
        return _one(service, sha256)

    return await writing(decide)


@router.post("/clips/{sha256}/relabel", **openapi_of(400, 404, 413, role="admin"))
async def relabel(request: Request, sha256: str, right: Label) -> KeptClip:
    """Another label for a kept clip; what had learnt the old one learns it anew."""
    service, caller = service_of(request), caller_of(request, "admin")
    must_need_no_mask(right.label, service.domain)

    def decide() -> KeptClip:
        service.store.clips.relabel(service.domain.name, sha256, right.label, who=caller.name)
        return _one(service, sha256)

    return await writing(decide)


@router.patch("/clips/{sha256}", **openapi_of(400, 404, 413, role="admin"))
async def regroup(request: Request, sha256: str, right: Group) -> KeptClip:
    """Another `group` for a kept clip (recording, machine, patient, speaker), or null for none: it
    stays on one side of the next split with the clips of that group."""
    service, caller = service_of(request), caller_of(request, "admin")
    group = checked_group(right.group or "")

    def decide() -> KeptClip:
        service.store.clips.regroup(service.domain.name, sha256, group, who=caller.name)
        return _one(service, sha256)

    return await writing(decide)


@router.delete("/clips/{sha256}", **openapi_of(404, role="admin"))
async def forget(request: Request, sha256: str) -> Forgotten:
    """Row and bytes are deleted; the answer names the versions that still remember the clip. If
    the one that serves does, a teach that forgets it starts by itself."""
    service, caller = service_of(request), caller_of(request, "admin")
    name = service.domain.name
    learnt = await writing(lambda: service.store.clips.forget(name, sha256, who=caller.name))
    try:
        held = await service.ask_curator("remembering", name, sha256)
    except Exception:  # the clip is gone all the same; the curator sees to the rest when it is back
        log.warning("the curator does not say which versions hold a clip", exc_info=True)
        words = "which versions still remember it cannot be told at present; these have learnt it"
        held = {"versions": learnt, "message": words}
    return Forgotten(clip=sha256, **held)


def _one(service: Replica, sha256: str) -> KeptClip:
    return _facts(service, [_get(service, sha256)])[0]


def _facts(service: Replica, clips: "list[Clip]") -> list[KeptClip]:
    flags: dict[str, list[Flag]] = {clip.sha256: [] for clip in clips}
    for flag in service.store.flags.find(service.domain.name, list(flags)):
        flags[flag.sha256].append(flag)
    waiting: dict[str, list[Feedback]] = {clip.sha256: [] for clip in clips}
    for said in service.store.feedback.find(
        service.domain.name, state="quarantined", clips=list(waiting), limit=None
    ):
        waiting[said.clip_sha256].append(said)
    return [kept_clip(clip, flags[clip.sha256], waiting[clip.sha256]) for clip in clips]
