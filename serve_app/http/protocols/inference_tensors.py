"""Tensors of the Open Inference Protocol: as JSON, or as binary data behind it.

With the header `Inference-Header-Content-Length` the body is JSON of that length, and behind it
the data of the tensors that say `binary_data_size`, in order: FP32 little-endian and row by row,
of BYTES each element after its length in 4 bytes. Text in JSON holds no clip, so elements of BYTES
are base64 there. https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

import base64
import binascii
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError

from data.arrays import Floats
from data.errors import InvalidParameter

HEADER = "inference-header-content-length"
JSON_BYTES = 4 * 1024**2
MOST_LISTS = 10_000  # and objects of JSON: each takes a hundred times its bytes
LENGTH_BYTES = 4  # in front of each element of BYTES
MOST_DIMENSIONS, MOST_TENSORS = 8, 16  # of each list: their elements are multiplied, or answered


class SentTensor(BaseModel):
    name: str
    datatype: str
    shape: list[int] = Field(min_length=1, max_length=MOST_DIMENSIONS)
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class WantedTensor(BaseModel):
    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(BaseModel):
    """What is not known is ignored, as the protocol asks."""

    id: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[SentTensor] = Field(max_length=MOST_TENSORS)
    outputs: list[WantedTensor] | None = Field(default=None, max_length=MOST_TENSORS)

    def is_binary(self, name: str) -> bool:
        """Whether this output is wanted as binary data."""
        wanted = next((one for one in self.outputs or () if one.name == name), None)
        everywhere = bool(self.parameters.get("binary_data_output", False))
        return (
            everywhere if wanted is None else bool(wanted.parameters.get("binary_data", everywhere))
        )


@dataclass(frozen=True)
class Input:
    """`raw` is the tensor's binary data, None where JSON has it."""

    sent: SentTensor
    raw: memoryview | None

    def strings(self, most: int) -> list[bytes]:
        """The elements of a tensor of BYTES; raises InvalidParameter, also for more than `most`."""
        wanted = math.prod(self.sent.shape)
        if wanted > most:
            raise InvalidParameter(f"{self.sent.name} has {wanted} elements; send 1 to {most}")
        if self.raw is None:  # JSON may nest the data as the shape does, or not
            data = np.asarray(self.sent.data or [], object).ravel().tolist()
            found = [_from_base64(one) for one in data[: most + 1]]
        else:
            found = _split(self.raw, most + 1)
        if len(found) != wanted:
            raise InvalidParameter(
                f"{self.sent.name} has the shape {self.sent.shape} and other data"
            )
        return found

    def floats(self) -> Floats:
        """A tensor of FP32 [shape]; raises InvalidParameter."""
        try:
            if self.raw is None:
                found = np.asarray(self.sent.data, np.float32)
            else:
                found = np.frombuffer(self.raw, "<f4")
            return found.reshape(self.sent.shape)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidParameter(
                f"{self.sent.name} is no FP32 of the shape {self.sent.shape}: {error}"
            ) from error


@dataclass(frozen=True)
class Output:
    """`values` [shape] is float32 (FP32), bool (BOOL) or str (BYTES)."""

    name: str
    values: NDArray[Any]

    @property
    def datatype(self) -> str:
        return {"f": "FP32", "b": "BOOL"}.get(self.values.dtype.kind, "BYTES")

    def binary(self) -> bytes:
        if self.datatype != "BYTES":
            return self.values.tobytes()
        texts = (text.encode() for text in self.values.ravel().tolist())
        return b"".join(len(text).to_bytes(LENGTH_BYTES, "little") + text for text in texts)


def read_request(body: bytes, header_length: str | None) -> tuple[InferenceRequest, list[Input]]:
    """Raises InvalidParameter for what the protocol does not allow."""
    length = len(body) if header_length is None else _length(header_length, len(body))
    if length > JSON_BYTES:
        raise InvalidParameter(
            f"the JSON has {length:,} bytes; at most {JSON_BYTES:,} are read; send tensors as "
            "binary data behind it"
        )
    if body.count(b"[", 0, length) + body.count(b"{", 0, length) > MOST_LISTS:
        raise InvalidParameter(f"the JSON has over {MOST_LISTS:,} lists and objects")
    try:
        request = InferenceRequest.model_validate(orjson.loads(memoryview(body)[:length]))
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"the body is not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise InvalidParameter(f"{where}: {first['msg']}") from error
    return request, list(_inputs(request, memoryview(body)[length:]))


def _length(text: str, size: int) -> int:
    if not text.isdecimal() or len(text) > 12 or int(text) > size:
        raise InvalidParameter(f"{HEADER} must be at most the body's {size:,} bytes, got {text!r}")
    return int(text)


def _inputs(request: InferenceRequest, binary: memoryview) -> Iterator[Input]:
    start = 0
    for sent in request.inputs:
        size = sent.parameters.get("binary_data_size")
        if size is None:
            yield Input(sent, None)
            continue
        if not isinstance(size, int) or not 0 <= size <= len(binary) - start:
            raise InvalidParameter(
                f"{sent.name} says binary_data_size {size!r}; {len(binary) - start:,} bytes are "
                "left behind the JSON"
            )
        yield Input(sent, binary[start : start + size])
        start += size


def write_response(
    fields: dict[str, Any], outputs: Sequence[Output], request: InferenceRequest
) -> tuple[bytes, int | None]:
    """The body, and the length of its JSON where binary data follows."""
    blobs = [output.binary() if request.is_binary(output.name) else None for output in outputs]
    described = [_described(*pair) for pair in zip(outputs, blobs, strict=True)]
    head = orjson.dumps({**fields, "outputs": described})
    binary = [blob for blob in blobs if blob is not None]
    return b"".join([head, *binary]), len(head) if binary else None


def _described(output: Output, blob: bytes | None) -> dict[str, Any]:
    row = {"name": output.name, "datatype": output.datatype, "shape": list(output.values.shape)}
    if blob is not None:
        return {**row, "parameters": {"binary_data_size": len(blob)}}
    return {**row, "data": output.values.ravel().tolist()}


def _from_base64(element: Any) -> bytes:
    try:
        return base64.b64decode(element, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise InvalidParameter(
            "a clip in JSON is base64 text; or send it as binary data behind the JSON"
        ) from None


def _split(raw: memoryview, most: int) -> list[bytes]:
    """Raises InvalidParameter where an element is cut off; stops after `most`."""
    found: list[bytes] = []
    start = 0
    while start < len(raw) and len(found) < most:
        size = int.from_bytes(raw[start : start + LENGTH_BYTES], "little")
        start += LENGTH_BYTES + size
        if start > len(raw):
            raise InvalidParameter("the binary data of BYTES ends within an element")
        found.append(bytes(raw[start - size : start]))
    return found
