"""What is answered to clients of the Open Inference Protocol, and to Label Studio."""

from typing import Any, Literal

from .answers import Answer, Problem, State

Datatype = Literal["BYTES", "FP32", "BOOL"]


class InferenceProblem(Problem):
    """`error` is `detail` once more, where clients of the protocol look for it."""

    error: str


class ServerMetadata(Answer):
    name: str
    version: str
    extensions: tuple[str, ...]


class Live(Answer):
    live: bool


class ServerReady(Answer):
    ready: bool


class ModelReady(Answer):
    name: str
    ready: bool


class TensorMetadata(Answer):
    """A dimension of -1 is of any size."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


class ModelMetadata(Answer):
    """One of the `inputs` is sent, not all of them."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class OutputTensor(TensorMetadata):
    """`data` row by row; or its size in `parameters`, where it follows the JSON as binary data."""

    data: tuple[str | float | bool, ...] = ()
    parameters: dict[str, int] = {}


class Inferred(Answer):
    """`probabilities` are in the order of `labels`."""

    id: str = ""
    model_name: str
    model_version: str
    outputs: tuple[OutputTensor, ...]


class Backend(Answer):
    """What Label Studio is told when it connects."""

    model_version: str


class PreAnnotation(Answer):
    """Empty, with an `error`, of a task whose clip cannot be decoded."""

    result: tuple[dict[str, Any], ...]
    score: float
    model_version: str | None = None
    error: str = ""


class PreAnnotations(Answer):
    """One a task of Label Studio's, in order."""

    results: tuple[PreAnnotation, ...]
    model_version: str


class Heard(Answer):
    """What became of an annotation: the state of a correction, or why it is none."""

    status: State | Literal["ignored"]
    reason: str = ""
    receipt: str | None = None
