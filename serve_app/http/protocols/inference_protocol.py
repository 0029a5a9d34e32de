"""The Open Inference Protocol (V2), as clients of KServe and Triton speak it.

    client = tritonclient.http.InferenceServerClient("127.0.0.1:8000/keywords")

Each domain is a server with one model, of its own name, at its own prefix. A request has one input:
`clip` (BYTES, a whole file an element) or, of recordings, `waveform` (FP32 [clips, samples] at the
domain's rate), which goes the way of any clip, as a WAV file.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from numpy.typing import NDArray
from starlette.responses import Response

from data.arrays import Floats
from data.domains.domain import AudioDomain, Domain
from data.errors import InvalidParameter, NotReady, UnknownName
from data.media.audio.recording import encoded
from models.bundle import Bundle
from serve_app.client.protocol_answers import (
    Datatype,
    InferenceProblem,
    Inferred,
    Live,
    ModelMetadata,
    ModelReady,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from serve_app.http import problems
from serve_app.http.answers.responses import caller_of, queue_of, service_of
from serve_app.http.openapi import BINARY, JSON, TEXT, openapi_of, parameter
from serve_app.http.predictions import Asked, asked_of, kept_together, predict_all
from serve_app.http.protocols.inference_tensors import (
    HEADER,
    InferenceRequest,
    Input,
    Output,
    read_request,
    write_response,
)
from serve_app.http.replica import Replica
from serve_app.http.requests.bodies import ENVELOPE_BYTES, IN_PLACE_BYTES, must_be_plain, read_body
from serve_app.replica.champion import LoadedVersion
from serve_app.replica.scoring import ScoredClip

MAX_CLIPS = 200
WIDER = 2  # than the clip itself: base64 and JSON are, and several short clips may come at once
MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{version}"
OCTETS = "application/octet-stream"
REQUEST = {"type": "object", "required": ["inputs"], "properties": {"inputs": {"type": "array"}}}
ANY = ({**parameter("version", "path", "a version of `GET /models`", **TEXT), "required": True},)
CLIPS, LABELS = -1, 0  # in the shapes below: as many as came, as the version has


@dataclass(frozen=True)
class Answer:
    """What is told of a clip; `probabilities` [labels]."""

    served: LoadedVersion
    best: int
    confidence: float
    unknown: bool
    probabilities: Floats


@dataclass(frozen=True)
class OutputKind:
    datatype: Datatype
    shape: tuple[int, ...]
    values: Callable[[Sequence[Answer]], NDArray[Any]]

    def described(self, name: str, labels: int) -> TensorMetadata:
        shape = tuple(labels if size == LABELS else size for size in self.shape)
        return TensorMetadata(name=name, datatype=self.datatype, shape=shape)


def _labels(found: Sequence[Answer]) -> NDArray[Any]:
    return np.array(found[0].served.bundle.labels)


OUTPUTS = {
    "label": OutputKind(
        "BYTES", (CLIPS,), lambda found: _labels(found)[[one.best for one in found]]
    ),
    "confidence": OutputKind(
        "FP32", (CLIPS,), lambda found: np.array([one.confidence for one in found], np.float32)
    ),
    "unknown": OutputKind(
        "BOOL", (CLIPS,), lambda found: np.array([one.unknown for one in found], np.bool_)
    ),
    "probabilities": OutputKind(
        "FP32",
        (CLIPS, LABELS),
        lambda found: np.stack([one.probabilities for one in found]).astype("<f4"),
    ),
    "labels": OutputKind("BYTES", (LABELS,), _labels),
}


class ProtocolRoute(APIRoute):
    """Refuses as every route does, with what was wrong also where these clients look for it:
    KServe's in the `error` of plain JSON, and of nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as error:
                refusal = problems.response(request, error)
                said = orjson.loads(refusal.body)
                refusal.body = orjson.dumps({**said, "error": said["detail"]})
                refusal.headers["content-length"] = str(len(refusal.body))
                refusal.headers["content-type"] = JSON
                return refusal

        return answered


def _openapi(*refusals: int, **described: Any) -> dict[str, Any]:
    found = openapi_of(*refusals, **described)
    for status, answer in found["responses"].items():
        if status >= 400:
            answer["model"] = InferenceProblem
    return found


def _inferring(parameters: tuple[Any, ...] = ()) -> dict[str, Any]:
    return _openapi(
        *(400, 404, 408, 409, 413, 415, 422, 429, 503),
        role="anonymous",
        body={JSON: REQUEST, OCTETS: BINARY},
        parameters=(
            parameter(HEADER, "header", "bytes of JSON, before binary data", type="integer"),
            *parameters,
        ),
        content={OCTETS: BINARY},
    )


OF_VERSION = _openapi(404, 409, 429, 503, role="anonymous", parameters=ANY)

router = APIRouter(tags=["inference protocol"], route_class=ProtocolRoute)


@router.get("/v2", **_openapi())
async def server() -> ServerMetadata:
    """The server's name and version, and the extensions of the protocol that it knows."""
    return ServerMetadata(
        name="telltale", version=installed("telltale"), extensions=("binary_tensor_data",)
    )


@router.get("/v2/health/live", **_openapi())
async def live() -> Live:
    """This replica's process is up."""
    return Live(live=True)


@router.get("/v2/health/ready", **_openapi(503))
async def ready(request: Request) -> ServerReady:
    """200 only where this replica has a model."""
    return ServerReady(ready=bool(service_of(request).champion.served))


@router.get(MODEL + "/ready", **_openapi(404, 503, role="anonymous"))
@router.get(VERSION + "/ready", **OF_VERSION)
async def model_ready(request: Request, name: str) -> ModelReady:
    """200 only where this model, in this version, is here to answer."""
    await _asked_bundle(request, name)
    return ModelReady(name=name, ready=True)


@router.get(MODEL, **_openapi(404, 503, role="anonymous"))
@router.get(VERSION, **OF_VERSION)
async def model(request: Request, name: str) -> ModelMetadata:
    """The model's inputs, of which one is sent, and its outputs, whose labels are the version's
    own. Without a viewer's key the version that serves is listed alone."""
    bundle = await _asked_bundle(request, name)
    labels = len(bundle.labels)
    clip = TensorMetadata(name="clip", datatype="BYTES", shape=(-1,))
    waveform = TensorMetadata(name="waveform", datatype="FP32", shape=(-1, -1))
    return ModelMetadata(
        name=name,
        versions=await _versions(request),
        platform="telltale_onnx",
        inputs=(clip, waveform) if isinstance(bundle.domain, AudioDomain) else (clip,),
        outputs=tuple(kind.described(name, labels) for name, kind in OUTPUTS.items()),
    )


@router.post(MODEL + "/infer", response_model=Inferred, **_inferring())
@router.post(VERSION + "/infer", response_model=Inferred, **_inferring(ANY))
async def infer(request: Request, name: str) -> Response:
    """Clips in (`clip`, BYTES; base64 in JSON) or waveforms (`waveform`, FP32 at the domain's
    rate); for each its label, confidence, whether it is unknown, and the probabilities of
    `labels`. One that cannot be decoded refuses the request. Any registered version answers; what
    serves is told of the champion alone."""
    _must_be_here(request, name)
    by = asked_of(request, request.path_params.get("version"))
    found, asked = await _scored(service_of(request), request, by)
    served = found[0].served
    fields = {"model_name": name, "model_version": served.version}
    if asked.id:
        fields["id"] = asked.id
    body, json_bytes = write_response(fields, _outputs(found, asked), asked)
    headers = {"X-Model-Version": served.version}
    if json_bytes is None:
        return Response(body, headers=headers, media_type=JSON)
    return Response(body, headers={**headers, HEADER: str(json_bytes)}, media_type=OCTETS)


async def _versions(request: Request) -> tuple[str, ...]:
    """Those that may be asked for, the one that serves first; all of them for whoever may see
    `GET /models`, as far as the curator tells them."""
    service, named = service_of(request), request.path_params.get("version")
    if named is not None:
        return (named,)
    serving = service.champion.served.version
    others = await service.versions() if caller_of(request).may("viewer") else ()
    return tuple(dict.fromkeys((serving, *others)))


async def _asked_bundle(request: Request, name: str) -> Bundle:
    """Of what serves, where no version is named. Raises UnknownName, and BundleError for a version
    that cannot be served."""
    who = queue_of(request)
    _must_be_here(request, name)
    service, version = service_of(request), request.path_params.get("version")
    if version is None:
        return service.champion.served.bundle
    return await service.described(version, who)


def _must_be_here(request: Request, name: str) -> None:
    here = service_of(request).domain.name
    if name != here:
        raise UnknownName(
            f"there is no model {name!r} at this address, which serves {here}; "
            f"another domain's is at its own prefix, as /{here}/v2"
        )


async def _scored(
    service: Replica, request: Request, by: Asked
) -> tuple[list[Answer], InferenceRequest]:
    """Raises what is wrong with the first clip of which something is."""
    must_be_plain(request)
    most = WIDER * service.domain.limits.max_bytes + ENVELOPE_BYTES
    with service.admission.room(by.who) as room, kept_together(service) as offer:
        body = await read_body(request, most, room.hold)
        read = partial(_read, body, request.headers.get(HEADER), service.domain)
        in_place = len(body) <= IN_PLACE_BYTES
        asked, clips = read() if in_place else await asyncio.to_thread(read)
        found = await predict_all(service, clips[:1], by, _answer, offer)
        if not isinstance(found[0], UnknownName):  # the others would each ask for the version, too
            found += await predict_all(service, clips[1:], by, _answer, offer)
        if failed := next((one for one in found if isinstance(one, Exception)), None):
            raise failed
        results = [one for one in found if isinstance(one, Answer)]
        if len({one.served.digest for one in results}) > 1:
            raise NotReady("the model changed while these clips were answered; send them again")
    return results, asked


def _read(body: bytes, header: str | None, domain: Domain) -> tuple[InferenceRequest, list[bytes]]:
    asked, inputs = read_request(body, header)
    _must_have_outputs(asked)
    clips = _clips(inputs, domain)
    asked.inputs.clear()  # numbers of JSON take eight times their bytes
    return asked, clips


def _answer(found: ScoredClip) -> Answer:
    scores = found.scores
    return Answer(
        found.served, scores.best, scores.confidence, scores.unknown, scores.probabilities
    )


def _clips(inputs: Sequence[Input], domain: Domain) -> list[bytes]:
    """Raises InvalidParameter unless there is one input with clips, of a kind that is known."""
    if len(inputs) != 1:
        raise InvalidParameter(
            f"{len(inputs)} inputs came; send one: clip (BYTES) or waveform (FP32)"
        )
    (found,) = inputs
    kind = found.sent.name, found.sent.datatype
    if kind == ("clip", "BYTES"):
        clips = found.strings(MAX_CLIPS)
    elif kind == ("waveform", "FP32") and isinstance(domain, AudioDomain):
        waveforms = found.floats()
        rows = waveforms.reshape(-1, waveforms.shape[-1] if waveforms.size else 1)
        _must_be_few(len(rows))
        clips = [encoded(row, domain.input.sample_rate_hz, subtype="FLOAT") for row in rows]
    else:
        known = (
            "clip (BYTES), waveform (FP32)" if isinstance(domain, AudioDomain) else "clip (BYTES)"
        )
        raise InvalidParameter(f"there is no input {kind[0]!r} ({kind[1]}); known: {known}")
    _must_be_few(len(clips))
    return clips


def _must_be_few(clips: int) -> None:
    if not 0 < clips <= MAX_CLIPS:
        raise InvalidParameter(f"{clips} clips came; send 1 to {MAX_CLIPS}")


def _must_have_outputs(asked: InferenceRequest) -> None:
    """Before clips are answered, which takes longer. Raises InvalidParameter."""
    if unknown := [one.name for one in asked.outputs or () if one.name not in OUTPUTS]:
        raise InvalidParameter(f"there is no output {unknown[0]!r}; known: {', '.join(OUTPUTS)}")


def _outputs(found: Sequence[Answer], asked: InferenceRequest) -> list[Output]:
    """All of them where none is named."""
    names = [one.name for one in asked.outputs or ()] or OUTPUTS
    return [Output(name, OUTPUTS[name].values(found)) for name in names]
