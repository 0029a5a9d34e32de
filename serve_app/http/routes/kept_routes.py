"""Predictions that a domain keeps (`keep` in its file): what to ask people, what versions flip."""

from collections import Counter
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from data.errors import ClipError, Overloaded, UnknownName
from data.store.review.annotations import Annotation
from models.card import BACKBONE
from serve_app.client import kept_answers as answers
from serve_app.client.answers import Receipt
from serve_app.http.answers.answer_bodies import Label, json_fields, prediction
from serve_app.http.answers.responses import answer, caller_of, queue_of, request_id, service_of
from serve_app.http.openapi import BINARY, openapi_of
from serve_app.http.predictions import few_at_once
from serve_app.http.replica import Replica
from serve_app.http.requests.correction_form import must_need_no_mask
from serve_app.http.requests.parameters import ONLY_KNOWN_PARAMETERS
from serve_app.http.routes.clip_routes import OCTETS, clip_bytes
from serve_app.http.routes.feedback_routes import keep_correction
from serve_app.http.threads import reading, writing
from serve_app.replica.active_learning import query_order
from serve_app.replica.scoring import ScoredClip

if TYPE_CHECKING:
    from data.store.kept_predictions import KeptPrediction

CONSIDERED = 1000  # of the newest, for what to ask next
LAST_ID = 2**31 - 1
REPLAY = openapi_of(*(400, 404, 409, 422, 429, 503, 504), role="admin")
BYTES = openapi_of(400, 404, role="admin", content={OCTETS: BINARY})
Number = Path(ge=1, le=LAST_ID)

router = APIRouter(tags=["review"], **ONLY_KNOWN_PARAMETERS)


@router.get("/predictions", **openapi_of(400, 503, role="admin"))
async def kept(
    request: Request,
    order: Literal["newest", "ask"] = Query("newest"),
    limit: int = Query(100, ge=1, le=1000),
    offset: int = Query(0, ge=0, le=10**9),
) -> answers.KeptPredictions:
    """Answers that are kept, newest first; none where the domain's file does not ask for it. With
    `order=ask` those that people should be asked about next: by doubt, need of their label and
    unlikeness to each other, half of one label at most where there are others."""
    service = service_of(request)
    caller_of(request, "admin")
    name = service.domain.name

    def listed() -> "list[KeptPrediction]":
        store = service.store
        if order == "newest":
            return store.predictions.find(name, limit=limit, offset=offset)
        backbone = service.champion.served.bundle.card.files[BACKBONE]
        found = store.predictions.unasked(name, backbone, CONSIDERED)
        labelled: Counter[str] = Counter()
        for row in store.counts.kept(name):
            labelled[row.label or ""] += row.clips if row.state == "accepted" else 0
        return query_order(found, labelled, offset + limit)[offset:]

    found = await reading(listed)
    return answers.KeptPredictions(domain=name, predictions=tuple(map(_told, found)))


@router.get("/predictions/{number}/content", response_class=Response, **BYTES)
async def content(request: Request, number: int = Number) -> Response:
    """The clip as it was sent, to be heard."""
    return await clip_bytes(request, lambda service: _with_clip(service, number).clip_sha256)


@router.get("/predictions/{number}/replay", response_model=answers.Replay, **REPLAY)
async def replay(
    request: Request, number: int = Number, version: str | None = Query(None, max_length=40)
) -> Response:
    """The kept clip is asked about again: of the champion, or of any registered version."""
    service, who = service_of(request), queue_of(request)
    caller_of(request, "admin")
    row = await reading(_with_clip, service, number)
    raw = await reading(service.store.clips.read, row.clip_sha256)
    if version is None:
        found = await service.predict(raw, who)
    else:
        found = await service.predict_on(version, raw, who)
    now = _opinion(found)
    told = {
        "kept": json_fields(_told(row)),
        "now": prediction(found, request_id(request)),
        "flips": (row.label, row.unknown) != (now.label, now.unknown),
    }
    return answer(told)


@router.post(
    "/predictions/{number}/label", status_code=201, **openapi_of(400, 404, 413, 429, role="admin")
)
async def label(request: Request, right: Label, number: int = Number) -> Receipt:
    """Somebody has heard it and says what it is: a correction, with a receipt as any other."""
    service, caller = service_of(request), caller_of(request, "admin")
    must_need_no_mask(right.label, service.domain)
    found = await reading(_with_clip, service, number)
    raw = await reading(service.store.clips.read, found.clip_sha256)
    said = Annotation(right.label)
    receipt, _ = await keep_correction(service, raw, said, None, caller, queue_of(request))
    await writing(service.store.predictions.labelled, found.id, receipt.receipt)
    return receipt


@router.get("/models/{a}/diff/{b}", **openapi_of(400, 404, 409, 503, role="admin"))
async def diff(
    request: Request, a: str, b: str, last: int = Query(100, ge=1, le=500)
) -> answers.VersionDiff:
    """What flips between two versions: the newest kept clips, replayed on both."""
    service, who = service_of(request), queue_of(request)
    caller_of(request, "admin")
    name = service.domain.name
    known = [row["version"] for row in await service.ask_curator("versions", name)]
    for version in (a, b):
        if version not in known:
            words = f"{name} has no version {shortened(version)}; there are {', '.join(known)}"
            raise UnknownName(words)
    rows = await reading(lambda: service.store.predictions.find(name, with_clip=True, limit=last))
    found = await few_at_once(rows, lambda row: _replayed(service, row, (a, b), who))
    pairs = [pair for pair in found if pair is not None]
    return answers.VersionDiff(
        domain=name,
        a=a,
        b=b,
        replayed=len(pairs),
        failed=len(rows) - len(pairs),
        flips=tuple(pair for pair in pairs if _differ(pair)),
    )


async def _replayed(
    service: Replica, row: "KeptPrediction", versions: tuple[str, str], who: str
) -> answers.Flip | None:
    """None where the clip has gone meanwhile, or where the replica has no place for it."""
    try:
        raw = await reading(service.store.clips.read, row.clip_sha256)
        a, b = [await service.predict_on(version, raw, who) for version in versions]
    except (ClipError, Overloaded, UnknownName):
        return None
    return answers.Flip(id=row.id, clip=row.clip_sha256, a=_opinion(a), b=_opinion(b))


def _differ(pair: answers.Flip) -> bool:
    return (pair.a.label, pair.a.unknown) != (pair.b.label, pair.b.unknown)


def _opinion(found: ScoredClip) -> answers.Opinion:
    scores = found.scores
    return answers.Opinion(
        label=found.served.bundle.labels[scores.best],
        confidence=round(scores.confidence, 6),
        unknown=scores.unknown,
    )


def _with_clip(service: Replica, number: int) -> "KeptPrediction":
    found = service.store.predictions.get(service.domain.name, number)
    if not found.has_clip:
        raise UnknownName(f"the clip of prediction {number} is not kept")
    return found


def _told(row: "KeptPrediction") -> answers.KeptPrediction:
    return answers.KeptPrediction(
        id=row.id,
        clip=row.clip_sha256,
        has_clip=row.has_clip,
        version=row.version,
        label=row.label,
        confidence=row.probabilities[row.label],
        unknown=row.unknown,
        why=row.why,
        probabilities=row.probabilities,
        created=row.created_at,
        expires=row.expires_at,
        receipt=row.receipt,
    )
