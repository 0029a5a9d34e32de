"""Reads a request's body within its limits, and finds the clip in it.

A multipart body is parsed in place: the file is one slice of the bytes that arrived, where
form parsing through a spooled temporary file would copy it three times. A form with nothing but
the file, as curl and nearly every client send it, takes two searches and that slice.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from data.errors import ClipTooLarge, InvalidParameter, TooSlow, UnsupportedClip
from serve_app.http.requests.multipart import FormPart, FormReader, PartRule, Rules

ENVELOPE_BYTES = 64 * 1024
ORDER_BYTES = 64 * 1024  # of a body in JSON
PATIENCE_S = 120.0  # 20 MB at 1.4 Mbit/s
RAW_KINDS = {"audio", "image", "video", ""}
RAW_TYPES = {  # what some send of any file, or of a container that may hold sound
    *("application/octet-stream", "binary/octet-stream"),
    *("application/ogg", "application/x-ogg", "application/mp4"),
    "application/x-www-form-urlencoded",  # `curl --data-binary @clip.wav`
}
ONE_FILE = {"file": PartRule(is_file=True)}
IN_PLACE_BYTES = 1024**2  # parsed on the event loop; a longer form in a thread
PLAIN_BOUNDARY = re.compile(r'boundary="?([0-9A-Za-z_.-]{1,70})"?\s*$')
FILE_PART = re.compile(
    rb'Content-Disposition: form-data; name="file"; filename="[^"\r\n]*"\r\n'
    rb"(?:Content-Type: [^\r\n]*\r\n)?\r\n",
    re.IGNORECASE,
)
ENDINGS = (b"--\r\n", b"--")


Hold = Callable[[int], None]


@dataclass(frozen=True)
class Part:
    name: str
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
            must_be_plain(request)
            return file_part(await _parts(content_type, body, ONE_FILE), max_bytes)
        return _within(clip, max_bytes)
    must_be_raw(content_type)
    must_be_plain(request)
    return await read_body(request, max_bytes, hold)


def must_be_raw(content_type: str) -> None:
    """Raises UnsupportedClip for a type of which no body is a clip."""
    kind = content_type.lower().partition(";")[0].strip()
    if kind.split("/")[0] not in RAW_KINDS and kind not in RAW_TYPES:
        raise UnsupportedClip(
            "a clip comes as multipart/form-data with a part named 'file' (curl -F file=@FILE), or "
            f"as a raw body of type audio/* or image/*; this request says {content_type[:200]!r}"
        )


def must_be_plain(request: Request) -> None:
    """Raises UnsupportedClip for a body that is compressed as a whole: how large it gets is known
    only when it is too late, and clips have codecs of their own."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        raise UnsupportedClip(
            f"the body is sent with Content-Encoding {encoding[:40]!r}; send it as it is, or the "
            "clip in a codec that compresses (FLAC, M4A)"
        )


def is_form(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/form-data")


async def read_form(
    request: Request, max_bytes: int, rules: Rules, hold: Hold = uncounted
) -> list[Part]:
    """The parts of a form with one clip."""
    must_be_plain(request)
    body = await read_body(request, max_bytes + ENVELOPE_BYTES, hold)
    return await _parts(request.headers.get("content-type", ""), body, rules)


async def _parts(content_type: str, body: bytes, rules: Rules) -> list[Part]:
    if len(body) <= IN_PLACE_BYTES:
        return parse_multipart(content_type, body, rules)
    return await asyncio.to_thread(parse_multipart, content_type, body, rules)


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


def parse_multipart(content_type: str, body: bytes, rules: Rules) -> list[Part]:
    """Raises InvalidParameter for a form that is damaged, or has a part that is not allowed."""
    form = FormReader(content_type, rules)
    form.feed(body)
    form.finish()
    files: defaultdict[FormPart, list[bytes]] = defaultdict(list)
    for part, data in form.pending:
        files[part].append(data)
    return [
        Part(part.name, b"".join(files[part]) if part.is_file else bytes(part.start))
        for part in form.parts
    ]


def _within(clip: bytes, max_bytes: int) -> bytes:
    if len(clip) > max_bytes:
        raise ClipTooLarge(_too_large(len(clip), max_bytes))
    return clip


def _too_large(size: int, max_bytes: int) -> str:
    return f"the clip has {size:,} bytes; at most {max_bytes:,} are accepted here"
