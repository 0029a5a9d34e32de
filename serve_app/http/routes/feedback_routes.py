"""What people tell the service: corrections, each with a receipt."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Query, Request, Response

from data.domains.domain import Domain
from data.errors import Conflict, InvalidParameter, NotReady, UnknownName
from data.store.review.annotations import Annotation
from serve_app.client.answers import Receipt, Receipts
from serve_app.http.answers.answer_bodies import Review, receipt
from serve_app.http.answers.responses import caller_of, queue_of, service_of
from serve_app.http.openapi import BINARY, TEXT, form, openapi_of
from serve_app.http.replica import Replica
from serve_app.http.requests.bodies import Part, file_part, is_form, read_form
from serve_app.http.requests.correction_form import (
    annotation_from_form,
    annotation_or_none,
    group_from_form,
)
from serve_app.http.requests.multipart import PartRule
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.threads import decoding, reading, writing
from serve_app.replica.first_checks import FirstChecks, check_labelled
from serve_app.replica.scoring import ScoredClip

if TYPE_CHECKING:
    from data.database.schema import ClipState
    from data.store.clips.clip_rows import NewClip
    from data.store.review.feedback import Feedback, NewFeedback
    from serve_app.http.auth import Caller

OF_THE_EXAM = "this clip is part of the exam that models are judged by, so none may learn from it"
WAITS = "sent without a contributor's key; waits until an admin accepts it"
WAITS_FOR_MASK = (
    "waits for its mask: send the photograph again, to /feedback with the part 'mask', or with "
    "the label for nothing"
)

PARTS = {
    "file": PartRule(is_file=True),
    "label": PartRule(is_file=False),
    "mask": PartRule(is_file=True),
    "group": PartRule(is_file=False),
}
FORM = form(("file",), file=BINARY, label=TEXT, mask=BINARY, group=TEXT)
CORRECTION = openapi_of(400, 404, 408, 409, 413, 415, 422, 429, role="anonymous", body=FORM)

log = logging.getLogger("ray.serve")

AnnotationOf = Callable[[Sequence[Part], Domain], Annotation]

router = APIRouter(tags=["correct"], **ONLY_KNOWN_PARAMETERS)


@router.post("/feedback", status_code=201, **CORRECTION)
async def correct(request: Request, response: Response) -> Receipt:
    """A clip (`file`) and its right `label`; of a photograph a `mask` of what is sought in it, or
    the label for nothing. A `group` (a recording, machine, patient or speaker) keeps clips on one
    side of a split. It is kept, and learnt from at the next retrain. A correction without a
    contributor's key waits in quarantine until an admin accepts it; without any key a copy of a
    clip of the exam is refused (409)."""
    return await _corrected(request, response, annotation_from_form)


@router.post("/save-for-retrain", status_code=201, include_in_schema=False)
async def save_for_retrain(request: Request, response: Response) -> Receipt:
    """The same; a photograph may also come alone, and waits in quarantine for its mask."""
    return await _corrected(request, response, annotation_or_none)


async def _corrected(request: Request, response: Response, annotation: AnnotationOf) -> Receipt:
    service, caller = service_of(request), caller_of(request)
    if not is_form(request.headers.get("content-type", "")):
        raise InvalidParameter("a correction is a form with the parts 'file' and 'label'")
    who, limit = queue_of(request), service.domain.limits.max_bytes
    with service.admission.room(who) as room:
        parts = await read_form(request, limit, PARTS, room.hold)
        raw, group = file_part(parts, limit), group_from_form(parts)
        right = await decoding(annotation, parts, service.domain)
        kept, found = await keep_correction(service, raw, right, group, caller, who)
    response.headers["X-Model-Version"] = found.served.version
    return kept


async def keep_correction(
    service: Replica,
    raw: bytes,
    right: Annotation,
    group: str | None,
    caller: "Caller",
    who: str,
) -> tuple[Receipt, ScoredClip]:
    """The receipt of a correction, and what was answered before; `who` has the clip's turn in the
    queue. Raises what is wrong with the clip, or with its mask, and Conflict where somebody without
    a key sends a copy of a clip of the exam."""
    found = await service.predict(raw, who)
    right.must_fit(found.prepared)
    checks = await decoding(
        check_labelled, raw, service.domain, found.served, found.scores, right.label
    )
    standing = _standing(service, raw, right, checks, caller)
    kept = await writing(_keep_correction, service, raw, found, right, group, standing, caller, who)
    if kept.state != "rejected":
        await put_flags(partial(_flag, service, kept, checks, right, caller))
    service.metrics.corrected(kept.state)
    return kept.model_copy(update={"warnings": found.prepared.warnings}), found


def _keep_correction(
    service: Replica,
    raw: bytes,
    found: ScoredClip,
    right: Annotation,
    group: str | None,
    standing: "tuple[ClipState, str]",
    caller: "Caller",
    address: str,
) -> Receipt:
    state, reason = standing
    new = _new_clip(service, raw, found, right, group, state, reason)
    correction: NewFeedback = {
        "predicted": found.served.bundle.labels[found.scores.best],
        "confidence": found.scores.confidence,
        "corrected": right.label,
        "version": found.served.version,
        "state": state,
        "reason": reason,
        "who": caller.name,
    }
    if caller.role == "anonymous":
        return receipt(service.store.quarantine.add(new, address=address, **correction))
    may_relabel = caller.may("admin")
    return receipt(service.store.feedback.keep(new, may_relabel=may_relabel, **correction))


async def put_flags(put: Callable[[], object]) -> None:
    """Behind a clip that is kept, and told to be, also where they cannot be written: `telltale data
    check` finds all of them again; a retrain, of accepted clips, copies and contradictions."""
    try:
        await writing(put)
    except NotReady:
        log.warning("what is doubted of a clip could not be kept", exc_info=True)


def _flag(
    service: Replica, kept: Receipt, checks: FirstChecks, right: Annotation, caller: "Caller"
) -> None:
    """A correction that waits beside another, accepted label leaves no doubt on that one."""
    name, store = service.domain.name, service.store
    label_stands = store.clips.get(name, kept.clip).label == right.label
    flags = checks.flags(kept.clip, label_stands=label_stands)
    store.flags.add(name, flags, who=caller.name)


def _standing(
    service: Replica, raw: bytes, right: Annotation, checks: FirstChecks, caller: "Caller"
) -> "tuple[ClipState, str]":
    if checks.of_exam or _sha256(raw) in service.champion.served.exam_clips:
        if caller.role == "anonymous":  # kept, it would be bytes that no quota counts
            raise Conflict(OF_THE_EXAM)
        return "rejected", OF_THE_EXAM
    if not right.label:
        return "quarantined", WAITS_FOR_MASK
    return ("accepted", "") if caller.may("contributor") else ("quarantined", WAITS)


def _new_clip(
    service: Replica,
    raw: bytes,
    found: ScoredClip,
    right: Annotation,
    group: str | None,
    state: "ClipState",
    reason: str,
) -> "NewClip":
    from data.store.clips.clip_rows import NewClip

    return NewClip(
        raw,
        domain=service.domain.name,
        label=right.label or None,
        group=group,
        state=state,
        source="feedback",
        duration_s=found.prepared.duration_s,
        sample_rate_hz=found.prepared.sample_rate_hz,
        reason=reason,
        mask=right.mask,
    )


@router.get("/feedback", **openapi_of(400, role="admin"))
async def corrections(
    request: Request,
    state: Literal["accepted", "quarantined", "rejected"] | None = Query(None),
    mine: bool = Query(False),
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=10**9),
) -> Receipts:
    """The review queue: corrections, oldest first; for an admin. With `mine=true` those that were
    sent with the caller's own key, newest first, for whoever has one."""
    service, caller = service_of(request), caller_of(request, "viewer" if mine else "admin")

    def find() -> "list[Feedback]":
        name, kept = service.domain.name, service.store.feedback
        if mine:
            return kept.of_sender(name, caller.name, state=state, limit=limit, offset=offset)
        return kept.find(name, state=state, limit=limit, offset=offset)

    found = await reading(find)
    return Receipts(feedback=tuple(map(receipt, found)))


@router.get("/feedback/{receipt_id}", **openapi_of(404, role="anonymous"))
async def correction(request: Request, receipt_id: str) -> Receipt:
    """What became of a correction: its state, the version that learnt it, before and after."""
    service = service_of(request)
    caller_of(request)
    found = await reading(of_domain, service, receipt_id)
    return receipt(found)


@router.post("/feedback/{receipt_id}/accept", **openapi_of(404, 409, role="admin"))
async def accept(request: Request, receipt_id: str) -> Receipt:
    """The correction counts from now on: its clip is learnt with its label."""
    service, caller = service_of(request), caller_of(request, "admin")
    await reading(of_domain, service, receipt_id)
    found = await writing(lambda: service.store.feedback.accept(receipt_id, who=caller.name))
    return receipt(found)


@router.post("/feedback/{receipt_id}/reject", **openapi_of(400, 404, 409, 413, role="admin"))
async def reject(request: Request, receipt_id: str, review: Review) -> Receipt:
    """The correction does not count; its receipt tells the reason."""
    service, caller = service_of(request), caller_of(request, "admin")
    await reading(of_domain, service, receipt_id)
    found = await writing(
        lambda: service.store.feedback.reject(receipt_id, who=caller.name, reason=review.reason)
    )
    return receipt(found)


def of_domain(service: Replica, receipt_id: str) -> "Feedback":
    found = service.store.feedback.get(receipt_id)
    if found.domain != service.domain.name:
        raise UnknownName(f"{service.domain.name} has no receipt {receipt_id!r}")
    return found


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
