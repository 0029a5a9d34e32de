"""Kept clips as an admin reviews them: listed with what checks say of them, heard, decided."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from data.errors import UnknownName
from serve_app.client.answers import Clips, Forgotten, KeptClip, PredictionSummary
from serve_app.http.answers.answer_bodies import Group, Label, Review, kept_clip
from serve_app.http.answers.responses import caller_of, service_of
from serve_app.http.auth import Caller
from serve_app.http.openapi import BINARY, openapi_of
from serve_app.http.replica import Replica
from serve_app.http.requests.correction_form import checked_group, must_need_no_mask
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.routes.feedback_routes import of_domain
from serve_app.http.threads import reading, writing
from serve_app.replica.disagreement import by_disagreement, current_predictions

if TYPE_CHECKING:
    from data.store.clips.clip_queries import Wanted
    from data.store.clips.clip_rows import Clip
    from data.store.review.feedback import Feedback
    from data.store.review.flags import Flag
    from data.store.review.reviews import Reviews

MAY_FORGET = "admin"
Decision = Callable[["Reviews", tuple[str, str], str], object]  # of a clip by domain and digest

log = logging.getLogger("ray.serve")

OCTETS = "application/octet-stream"
BYTES = openapi_of(404, 422, role="admin", content={OCTETS: BINARY})

router = APIRouter(tags=["review"], **ONLY_KNOWN_PARAMETERS)


@router.get("/clips", **openapi_of(400, 404, 503, role="admin"))
async def clips(
    request: Request,
    state: Literal["accepted", "quarantined", "rejected"] | None = Query(None),
    label: str | None = Query(None),
    flagged: bool = Query(False),
    waiting: bool = Query(False),
    order: Literal["newest", "disagreement"] = Query("newest"),
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=10**9),
) -> Clips:
    """Newest first; `flagged=true` only those that a check has something to say of, the worst
    first; `waiting=true` those in quarantine, or with a correction that nobody has decided upon.
    `order=disagreement`: first those that the model is surest are something else (`model`)."""
    service, caller = service_of(request), caller_of(request, "admin")
    name = service.domain.name

    def listed() -> list[KeptClip]:
        if label is not None:
            _must_be_label(service, label)
        kept = service.store.clips
        wanted: Wanted = {"state": state, "label": label, "flagged": flagged, "waiting": waiting}
        if order == "newest":
            return _facts(service, caller, kept.find(name, limit=limit, offset=offset, **wanted))
        found = by_disagreement(service.store, service.champion.served, kept.labels(name, **wanted))
        return _facts(service, caller, kept.by_digests(name, found[offset : offset + limit]))

    return Clips(domain=name, clips=tuple(await reading(listed)))


def _must_be_label(service: Replica, label: str) -> None:
    """One of the domain, or one that it had when clips were kept. Raises UnknownName."""
    try:
        service.domain.label_index(label)
    except UnknownName:
        if label not in {row.label for row in service.store.counts.kept(service.domain.name)}:
            raise


@router.get("/clips/{sha256}", **openapi_of(404, role="admin"))
async def clip(request: Request, sha256: str) -> KeptClip:
    """A kept clip: its label, state, group, what checks doubt of it, and what the model says."""
    service, caller = service_of(request), caller_of(request, "admin")
    return await reading(_one, service, caller, sha256)


@router.get("/clips/{sha256}/content", response_class=Response, **BYTES)
async def content(request: Request, sha256: str) -> Response:
    """The bytes as they were sent, to be heard."""
    return await clip_bytes(request, lambda service: _get(service, sha256).sha256)


@router.get("/clips/{sha256}/mask", response_class=Response, **BYTES)
async def mask(request: Request, sha256: str) -> Response:
    """Where in a photograph its label is true: a PNG, white there, as large as the photograph."""
    return await clip_bytes(request, lambda service: _mask(_get(service, sha256).mask))


@router.get("/feedback/{receipt_id}/mask", response_class=Response, **BYTES)
async def correction_mask(request: Request, receipt_id: str) -> Response:
    """The same, as a correction has it."""
    return await clip_bytes(request, lambda service: _mask(of_domain(service, receipt_id).mask))


def _get(service: Replica, sha256: str) -> "Clip":
    return service.store.clips.get(service.domain.name, sha256)


def _mask(sha256: str | None) -> str:
    if sha256 is None:
        raise UnknownName("it has no mask: its label is true of all of it")
    return sha256


async def clip_bytes(request: Request, which: Callable[[Replica], str]) -> Response:
    """The stored bytes of the digest that `which` finds, for an admin."""
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
    return await _decide(request, sha256, lambda reviews, clip, who: reviews.accept(*clip, who=who))


@router.post("/clips/{sha256}/reject", **openapi_of(400, 404, 413, role="admin"))
async def reject(request: Request, sha256: str, review: Review) -> KeptClip:
    """The clip is not learnt from; a version that has learnt it forgets it at the next retrain,
    for which it counts as a new clip does."""
    why = review.reason
    return await _decide(
        request, sha256, lambda reviews, clip, who: reviews.reject(*clip, who=who, reason=why)
    )


@router.post("/clips/{sha256}/undo", **openapi_of(404, 409, role="admin"))
async def undo(request: Request, sha256: str) -> KeptClip:
    """Takes back the last review of the clip: its label, state, flags and the receipts that were
    decided with it are as they were before; once more takes back the one before that."""
    return await _decide(request, sha256, lambda reviews, clip, who: reviews.undo(*clip, who=who))


async def _decide(request: Request, sha256: str, review: "Decision") -> KeptClip:
    service, caller = service_of(request), caller_of(request, "admin")

    def decide() -> KeptClip:
        review(service.store.reviews, (service.domain.name, sha256), caller.name)
        return _one(service, caller, sha256)

    return await writing(decide)


@router.post("/clips/{sha256}/relabel", **openapi_of(400, 404, 413, role="admin"))
async def relabel(request: Request, sha256: str, right: Label) -> KeptClip:
    """Another label for a kept clip; what had learnt the old one learns it anew."""
    caller_of(request, "admin")
    must_need_no_mask(right.label, service_of(request).domain)
    label = right.label
    return await _decide(
        request, sha256, lambda reviews, clip, who: reviews.relabel(*clip, label, who=who)
    )


@router.patch("/clips/{sha256}", **openapi_of(400, 404, 413, role="admin"))
async def regroup(request: Request, sha256: str, right: Group) -> KeptClip:
    """Another `group` for a kept clip (recording, machine, patient, speaker), or null for none: it
    stays on one side of the next split with the clips of that group."""
    service, caller = service_of(request), caller_of(request, "admin")
    group = checked_group(right.group or "")

    def decide() -> KeptClip:
        service.store.clips.regroup(service.domain.name, sha256, group, who=caller.name)
        return _one(service, caller, sha256)

    return await writing(decide)


@router.delete("/clips/{sha256}", **openapi_of(404, role="admin"))
async def forget(request: Request, sha256: str) -> Forgotten:
    """Row and bytes are deleted; the answer names the versions that still remember the clip. If
    the one that serves does, a teach that forgets it starts by itself."""
    service, caller = service_of(request), caller_of(request, MAY_FORGET)
    name = service.domain.name
    learnt = await writing(lambda: service.store.clips.forget(name, sha256, who=caller.name))
    try:
        held = await service.ask_curator("remembering", name, sha256)
    except Exception:  # the clip is gone all the same; the curator sees to the rest when it is back
        log.warning("the curator does not say which versions hold a clip", exc_info=True)
        words = "which versions still remember it cannot be told at present; these have learnt it"
        held = {"versions": learnt, "message": words}
    return Forgotten(clip=sha256, **held)


def _one(service: Replica, caller: Caller, sha256: str) -> KeptClip:
    return _facts(service, caller, [_get(service, sha256)])[0]


def _facts(service: Replica, caller: Caller, clips: "list[Clip]") -> list[KeptClip]:
    flags: dict[str, list[Flag]] = {clip.sha256: [] for clip in clips}
    for flag in service.store.flags.find(service.domain.name, list(flags)):
        flags[flag.sha256].append(flag)
    waiting: dict[str, list[Feedback]] = {clip.sha256: [] for clip in clips}
    for said in service.store.feedback.find(
        service.domain.name, state="quarantined", clips=list(waiting), limit=None
    ):
        waiting[said.clip_sha256].append(said)
    models: dict[str, PredictionSummary] = {}
    if service.champion.loaded:
        models = current_predictions(service.store, service.champion.served, list(flags))
    may_forget = caller.may(MAY_FORGET)
    return [
        kept_clip(
            clip,
            flags[clip.sha256],
            waiting[clip.sha256],
            models.get(clip.sha256),
            may_forget=may_forget,
        )
        for clip in clips
    ]
