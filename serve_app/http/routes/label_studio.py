"""Label Studio's ML backend: pre-annotations from `/predict`, annotations as corrections.

Label Studio posts its tasks as JSON to where clips are sent otherwise. A task holds its clip as a
data URI, or names one that is kept here (`/clips/SHA256/content`); no address is ever fetched. The
key comes as everywhere, and with tasks also as the password of basic authentication, which is all
that Label Studio has for a backend; a webhook has headers.
https://labelstud.io/guide/ml_create, https://labelstud.io/guide/webhooks
"""

import base64
import re
from dataclasses import dataclass
from functools import partial
from reprlib import repr as shortened
from typing import Any, TypeVar
from xml.etree import ElementTree

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from data.domains.domain import Domain
from data.errors import ClipError, InvalidParameter, Unauthorized
from data.store.review.annotations import checked_annotation
from serve_app.client.protocol_answers import Backend, Heard
from serve_app.http.answers.responses import answer, caller_of, queue_of, service_of
from serve_app.http.auth import Caller, Keyring
from serve_app.http.openapi import openapi_of
from serve_app.http.predictions import AT_ONCE, asked_of, kept_together, predict_all
from serve_app.http.replica import Replica
from serve_app.http.requests.bodies import ENVELOPE_BYTES, must_be_plain, read_body
from serve_app.http.routes.feedback_routes import keep_correction
from serve_app.http.threads import reading
from serve_app.replica.scoring import ScoredClip
from serve_app.statuses import explain

JSON = "application/json"
MAX_TASKS = 200
MOST_VALUES = 200_000  # of a body that is nearly all base64
WIDER = 2  # than one clip: base64 is, and there are several tasks in a body
CORRECTIONS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
DATA_URI = re.compile(r"data:[\w.+/-]*(?:;[\w=.+-]+)*?;base64,", re.ASCII)
KEPT_CLIP = re.compile(
    r"(?:https?://[^/?#\s]+)?(?:/[\w-]+)?/clips/([0-9a-f]{64})(?:/content)?", re.ASCII
)
NO_CORRECTION = "corrections are annotations that are made or changed, and not skipped"
NEEDS_MASK = "a webhook brings no mask; send it to /feedback, with a part 'mask'"
TASKS = {
    "type": "object",
    "required": ["tasks", "label_config"],
    "properties": {"tasks": {"type": "array"}, "label_config": {"type": "string"}},
}
EVENT = {"type": "object", "required": ["action"], "properties": {"action": {"type": "string"}}}
WEBHOOK = openapi_of(*(400, 404, 408, 413, 415, 422, 429), role="contributor", body={JSON: EVENT})


class Task(BaseModel):
    id: int | str | None = None
    data: dict[str, Any] = {}


class Tasks(BaseModel):
    tasks: list[Task] = Field(max_length=MAX_TASKS)
    label_config: str = Field(max_length=ENVELOPE_BYTES)


class Setup(BaseModel):
    """Label Studio also sends an address and a token of its own, which are not needed here."""

    label_config: str = Field(alias="schema", max_length=ENVELOPE_BYTES)


class Region(BaseModel):
    """`value` is as its type has it."""

    type: str = ""
    value: Any = None

    @property
    def choices(self) -> list[Any]:
        choices = self.value.get("choices") if isinstance(self.value, dict) else None
        return choices if self.type == "choices" and isinstance(choices, list) else []


class Annotated(BaseModel):
    result: list[Region] = []
    was_cancelled: bool = False


class Event(BaseModel):
    action: str
    annotation: Annotated = Annotated()
    task: Task = Task()


@dataclass(frozen=True)
class Control:
    """The part of a labelling interface that asks which label is right, and of what."""

    name: str
    of: str

    def choice(self, label: str) -> dict[str, Any]:
        value = {"choices": [label]}
        return {"from_name": self.name, "to_name": self.of, "type": "choices", "value": value}


Sent = TypeVar("Sent", bound=BaseModel)

router = APIRouter(tags=["label studio"])


@router.post("/setup", **openapi_of(400, 413, 503))
async def setup(request: Request, order: Setup) -> Backend:
    """Label Studio connects: its labelling interface must ask for labels of this domain."""
    service = service_of(request)
    control_of(order.label_config, service.domain)
    return Backend(model_version=service.champion.served.version)


def is_tasks(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(JSON)


async def pre_annotate(request: Request) -> Response:
    """A pre-annotation for each task, in order; empty, with the reason, for a clip that cannot be
    decoded. Raises InvalidParameter for a task without a clip."""
    request, service = await _with_bearer(request), service_of(request)
    asked, caller = asked_of(request, request.query_params.get("version")), caller_of(request)
    must_be_plain(request)
    with service.admission.room(asked.who) as room, kept_together(service) as offer:
        most = WIDER * service.domain.limits.max_bytes + ENVELOPE_BYTES
        order = _parsed(await read_body(request, most, room.hold), Tasks)
        control = control_of(order.label_config, service.domain)
        sources = [_source(task, caller) for task in order.tasks]
        del order  # its text may take four times the body
        results: list[dict[str, Any]] = []
        for start in range(0, len(sources), AT_ONCE):  # kept clips may be large together
            few = [await _clip(service, source) for source in sources[start : start + AT_ONCE]]
            told = partial(_pre_annotation, control)
            results += map(_or_why, await predict_all(service, few, asked, told, offer))
    versions = (found["model_version"] for found in results if "model_version" in found)
    by = next(versions, service.champion.served.version)
    return answer({"results": results, "model_version": by})


def _or_why(found: dict[str, Any] | Exception) -> dict[str, Any]:
    if isinstance(found, ClipError):
        return {"result": [], "score": 0.0, "error": explain(found)[2]}
    if isinstance(found, Exception):
        raise found
    return found


def _pre_annotation(control: Control, found: ScoredClip) -> dict[str, Any]:
    served, scores = found.served, found.scores
    return {
        "result": [control.choice(served.bundle.labels[scores.best])],
        "score": round(scores.confidence, 6),
        "model_version": served.version,
    }


@router.post("/webhook", **WEBHOOK)
async def webhook(request: Request) -> Heard:
    """An annotation that was made or changed is a correction of its task's clip; other events are
    ignored."""
    service = service_of(request)
    caller, who = caller_of(request, "contributor"), queue_of(request)
    must_be_plain(request)
    with service.admission.room(who) as room:
        most = WIDER * service.domain.limits.max_bytes + ENVELOPE_BYTES
        event = _parsed(await read_body(request, most, room.hold), Event)
        if event.action not in CORRECTIONS or event.annotation.was_cancelled:
            return Heard(status="ignored", reason=NO_CORRECTION)
        right = checked_annotation(_choice(event.annotation), None, service.domain, NEEDS_MASK)
        raw = await _clip(service, _source(event.task, caller))
        kept, _ = await keep_correction(service, raw, right, None, caller, who)
    return Heard(status=kept.state, reason=kept.reason, receipt=kept.receipt)


def _choice(annotation: Annotated) -> str:
    chosen = [choice for region in annotation.result for choice in region.choices]
    if len(chosen) != 1 or not isinstance(chosen[0], str):
        raise InvalidParameter(
            f"the annotation must choose one label, and chooses {shortened(chosen)}"
        )
    return chosen[0]


def control_of(config: str, domain: Domain) -> Control:
    """Raises InvalidParameter where the labelling interface asks for no label of the domain."""
    if "<!" in config.replace("<!--", ""):  # entities may grow without bound
        raise InvalidParameter("a labelling interface has no document type and no entities")
    try:
        root = ElementTree.fromstring(config)
    except ElementTree.ParseError as error:
        raise InvalidParameter(f"the labelling interface is not XML: {error}") from error
    for choices in root.iter("Choices"):
        offered = {one.get("alias") or one.get("value") for one in choices.iter("Choice")}
        name, of = choices.get("name"), choices.get("toName")
        if name and of and offered >= set(domain.labels):
            return Control(name, of)
    raise InvalidParameter(
        "the labelling interface needs <Choices name=... toName=...> with a <Choice> for each "
        f"label of {domain.name}: {', '.join(domain.labels)}"
    )


def _source(task: Task, caller: Caller) -> bytes | str:
    """The clip that a task holds, or the digest of the one that it names; raises InvalidParameter
    for any other address, and Unauthorized or Forbidden where somebody without a contributor's key
    asks for a kept clip."""
    for value in task.data.values():
        if not isinstance(value, str):
            continue
        if inline := DATA_URI.match(value):
            return _decoded(value[inline.end() :], task)
        if named := KEPT_CLIP.fullmatch(value):
            caller.require("contributor")
            return named[1]
    raise InvalidParameter(
        f"task {task.id} holds no clip: its data must have a data URI (data:audio/wav;base64,...) "
        "or the address of a clip that is kept here (/clips/SHA256/content); others are not fetched"
    )


async def _clip(service: Replica, source: bytes | str) -> bytes:
    return source if isinstance(source, bytes) else await reading(_kept, service, source)


def _decoded(text: str, task: Task) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidParameter(f"the data URI of task {task.id} is not base64") from None


def _kept(service: Replica, sha256: str) -> bytes:
    return service.store.clips.read(service.store.clips.get(service.domain.name, sha256).sha256)


def _parsed(body: bytes, model: type[Sent]) -> Sent:
    """Read, a value takes up to fifty times its bytes; nearly all begin a list or object, or stand
    behind a comma."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise InvalidParameter(
            f"the JSON has over {MOST_VALUES:,} values; send fewer tasks at once"
        )
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise InvalidParameter(f"{where}: {first['msg']}") from error


async def _with_bearer(request: Request) -> Request:
    """The same request, with the password of basic authentication as its key, which is looked up:
    before the routes only bearer keys are."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return request
    try:
        key = base64.b64decode(text, validate=True).partition(b":")[2]
    except ValueError:
        raise Unauthorized("the Authorization header is not basic authentication") from None
    kept = [(name, value) for name, value in request.scope["headers"] if name != b"authorization"]
    headers = [*kept, (b"authorization", b"Bearer " + key)]
    known = Request({**request.scope, "headers": headers}, request.receive)
    keyring: Keyring = request.app.state.keyring
    await keyring.look(known.headers["authorization"])
    return known
