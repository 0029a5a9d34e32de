"""One request, described: what is asked, how the answer is read, and whether it may be repeated.

The functions in `calls/` make them; `senders.py` sends them, at once or awaited.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Generic, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from .connection import ServiceError

A = TypeVar("A")
M = TypeVar("M", bound=BaseModel)

Named = tuple[str, bytes]  # a file: its name, and what is in it


@dataclass(frozen=True)
class Call(Generic[A]):
    """`files` are parts of a form by name, `data` its texts. `idempotent` calls are sent again
    where an answer was lost; others only where the service has refused them for the moment;
    `content` never: it is read once."""

    method: Literal["GET", "HEAD", "POST", "PATCH", "DELETE"]
    path: str
    read: Callable[[httpx.Response], A]
    params: Mapping[str, str | list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, object] | None = None
    files: Sequence[tuple[str, Named]] = ()
    data: Mapping[str, str | list[str]] = field(default_factory=dict)
    content: BinaryIO | None = None
    idempotent: bool = False
    silence_s: float | None = None  # that may pass between two pieces of the answer


def get(path: str, read: Callable[[httpx.Response], A], **asked: object) -> Call[A]:
    """With a query of what is `asked`."""
    return Call("GET", path, read, params=texts(**asked), idempotent=True)


def post(path: str, read: Callable[[httpx.Response], A], **body: object) -> Call[A]:
    return Call("POST", path, read, json=body or None)


def segment(text: str) -> str:
    """Of a path, so that a name from elsewhere stays one."""
    return quote(text, safe="")


def texts(**values: object) -> dict[str, str | list[str]]:
    """As a query or a form says them; without what is None, empty or false. Zero is said."""
    said = ((name, value) for name, value in values.items() if value is not None)
    return {name: _text(value) for name, value in said if value != "" and value is not False}


def _text(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return "true" if value is True else f"{value:g}" if isinstance(value, float) else str(value)


def one(model: type[M]) -> Callable[[httpx.Response], M]:
    """Reads this model from an answer. Raises ServiceError where it is something else."""

    def read(response: httpx.Response) -> M:
        try:
            return model.model_validate_json(response.content)
        except ValidationError as error:
            route = f"{response.request.method} {response.request.url.path}"
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ServiceError(
                f"{route} answered something unexpected at {where or 'the top'}: {first['msg']}",
                response.status_code,
            ) from error

    return read


def part(model: type[M], of: Callable[[M], A]) -> Callable[[httpx.Response], A]:
    """Reads the part of an answer that is wanted: its only list, say."""
    whole = one(model)
    return lambda response: of(whole(response))


def raw(response: httpx.Response) -> bytes:
    return response.content


class EventReader:
    """Is given the lines of server-sent events: `field: value`; a blank line ends an event, a
    colon starts a comment."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> dict[str, str] | None:
        """The event that ends here: its `data`, and `event` and `id` where they are told."""
        if not line and "data" in self._fields:
            fields, self._fields = self._fields, {}
            return fields
        if line and not line.startswith(":"):
            name, _, value = line.partition(":")
            self._fields[name] = value.strip()
        return None
