"""Reads a request's body within its limits, and finds the clip in it.

A multipart body is parsed in place: the file is one slice of the bytes that arrived, where
form parsing through a spooled temporary file would copy it three times. A form with nothing but
the file, as curl and nearly every client send it, takes two searches and that slice.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import (
    MAX_BOUNDARY_LENGTH,
    MultipartParser,
    parse_options_header,
)
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from data.errors import ClipTooLarge, InvalidParameter, TooSlow, UnsupportedClip

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

ENVELOPE_BYTES = 64 * 1024
ORDER_BYTES = 64 * 1024  # of a body in JSON
PATIENCE_S = 120.0  # 20 MB at 1.4 Mbit/s
RAW_KINDS = {"audio", "image", "video", ""}
MAX_PARTS = 20  # of a form with one clip
IN_PLACE_BYTES = 1024**2  # parsed on the event loop; a longer form in a thread
PLAIN_BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z_.-]{1,70})"?\s*$')
FILE_PART = re.compile(
    rb'Content-Disposition: form-data; name="file"(?:; filename="[^"\r\n]*")?\r\n'
    rb"(?:Content-Type: [^\r\n]*\r\n)?\r\n",
    re.IGNORECASE,
)
ENDINGS = (b"--\r\n", b"--")


Hold = Callable[[int], None]


@dataclass(frozen=True)
class Part:
    name: str
    filename: str | None
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace").strip()


def uncounted(size: int) -> None:
    """For bodies that nobody has to make room for."""


async def read_body(request: Request, max_bytes: int, hold: Hold = uncounted) -> bytes:
    """Raises ClipTooLarge as soon as the limit is passed, before the rest has arrived, and TooSlow
    for what does not arrive. `hold` is told of bytes as they come, and may raise."""
    if (announced := announced_bytes(request)) > max_bytes:
        raise ClipTooLarge(_too_large(announced, max_bytes))
    body, more = await next_piece(request)
    hold(len(body))
    if not more:  # nearly always: HAProxy sends what fits its buffer in one piece
        return _within(body, max_bytes)
    chunks, received = [body], len(body)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while more:
                chunk, more = await next_piece(request)
                received += len(chunk)
                if received > max_bytes:
                    raise ClipTooLarge(_too_large(received, max_bytes))
                hold(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise TooSlow(
            f"{received:,} bytes came in {PATIENCE_S:g} s, and the clip is not whole; send a "
            "shorter one, or compress it (FLAC, M4A)"
        ) from None
    return b"".join(chunks)


def announced_bytes(request: Request) -> int:
    """0 where nothing is said; Python refuses to read numbers of many digits."""
    text = request.headers.get("content-length", "")
    return int(text[:20]) if text.isdecimal() else 0


def at_most(receive: Receive, max_bytes: int) -> Receive:
    """For bodies that FastAPI reads whole, whatever their size; raises what it lets through."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise HTTPException(413, f"an order has at most {max_bytes:,} bytes; this has more")
        return message

    return bounded


async def next_piece(request: Request) -> tuple[bytes, bool]:
    """Some bytes of the body, and whether there are more."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise InvalidParameter("the connection closed before all of it had arrived")
    return message.get("body", b""), message.get("more_body", False)


async def read_clip(request: Request, max_bytes: int, hold: Hold = uncounted) -> bytes:
    """The clip of a multipart form (`file`), or the raw body of an audio/* or image/* request."""
    content_type = request.headers.get("content-type", "")
    if is_form(content_type):
        body = await read_body(request, max_bytes + ENVELOPE_BYTES, hold)
        clip = lone_file(content_type, body)
        if clip is None:
            return file_part(await _parts(content_type, body), max_bytes)
        return _within(clip, max_bytes)
    kind = content_type.lower()
    if kind.split("/")[0] in RAW_KINDS or kind.startswith("application/octet-stream"):
        return await read_body(request, max_bytes, hold)
    raise UnsupportedClip(
        f"a clip comes as multipart/form-data with a part named 'file', or as a raw body of type "
        f"audio/*; this request says {content_type!r}"
    )


def is_form(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/form-data")


async def read_form(request: Request, max_bytes: int, hold: Hold = uncounted) -> list[Part]:
    """The parts of a form with one clip."""
    body = await read_body(request, max_bytes + ENVELOPE_BYTES, hold)
    return await _parts(request.headers.get("content-type", ""), body)


async def _parts(content_type: str, body: bytes) -> list[Part]:
    if len(body) <= IN_PLACE_BYTES:
        return parse_multipart(content_type, body)
    return await asyncio.to_thread(parse_multipart, content_type, body)


def lone_file(content_type: str, body: bytes) -> bytes | None:
    """The file of a form that has no other part; None for any form that needs a closer look."""
    boundary = PLAIN_BOUNDARY.search(content_type)
    if boundary is None:
        return None
    opening = b"--" + boundary[1].encode("latin-1") + b"\r\n"
    start = body.find(b"\r\n\r\n", len(opening)) + 4
    if not body.startswith(opening) or start < 4 or not FILE_PART.match(body, len(opening), start):
        return None
    end = body.find(b"\r\n" + opening[:-2], start)
    # Only the end of the form may come behind it: otherwise this part is not alone.
    return body[start:end] if body[end + len(opening) :] in ENDINGS and end >= 0 else None


def file_part(parts: list[Part], max_bytes: int) -> bytes:
    for part in parts:
        if part.name == "file":
            return _within(part.body, max_bytes)
    raise InvalidParameter("the form has no part named 'file'; add the clip as -F file=@clip.wav")


def parse_multipart(content_type: str, body: bytes) -> list[Part]:
    """Raises InvalidParameter for a form that is damaged or has no boundary."""
    collector = _Collector()
    try:
        parser = MultipartParser(boundary_of(content_type), collector.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise InvalidParameter(f"the multipart form is damaged: {error}") from error
    return collector.parts


def boundary_of(content_type: str) -> bytes:
    """Raises InvalidParameter where there is none, or one that is too long."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if not boundary:
        raise InvalidParameter("multipart/form-data needs a boundary in its Content-Type")
    if len(boundary) > MAX_BOUNDARY_LENGTH:
        raise InvalidParameter(
            f"the form's boundary has {len(boundary):,} characters; at most "
            f"{MAX_BOUNDARY_LENGTH} are allowed"
        )
    return boundary


class _Collector:
    """Callbacks of the parser: each gets the buffer and the range that it speaks of."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._start()

    def _start(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise InvalidParameter(f"the form has more than {MAX_PARTS} parts; one clip needs few")
        self._field = b""
        self._value = b""
        self._disposition = b""
        self._body: list[bytes] = []

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._start,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": lambda data, start, end: self._body.append(data[start:end]),
            "on_part_end": self._on_end,
        }

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def _on_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        filename = options.get(b"filename")
        self.parts.append(
            Part(
                name=options.get(b"name", b"").decode("utf-8", errors="replace"),
                filename=None if filename is None else filename.decode("utf-8", errors="replace"),
                body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
            )
        )


def _within(clip: bytes, max_bytes: int) -> bytes:
    if len(clip) > max_bytes:
        raise ClipTooLarge(_too_large(len(clip), max_bytes))
    return clip


def _too_large(size: int, max_bytes: int) -> str:
    return f"the clip has {size:,} bytes; at most {max_bytes:,} are accepted here"
