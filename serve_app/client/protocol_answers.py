"""What is answered to clients of the Open Inference Protocol."""

from typing import Literal

from .answers import Answer, Problem

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
