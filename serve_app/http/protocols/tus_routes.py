"""Large recordings in parts, by tus 1.0.0 (https://tus.io/protocols/resumable-upload).

A part that broke off counts as far as it came; the sender asks how far that is and goes on, at any
replica. Of two that send the same part, the one that is stored first goes on, so that nobody waits
for a connection that broke without a word; a large part is stored piece by piece, and the other
learns of it soon. What is whole is analysed by `POST /analyze?upload=ID`.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from data.domains.domain import of_sounds
from data.errors import (
    ClipError,
    ClipTooLarge,
    Conflict,
    InvalidParameter,
    TelltaleError,
    UnsupportedClip,
)
from data.media.sniff import after_tags, sniff
from serve_app.client.analysis_answers import OwnUploads, RecordingUpload
from serve_app.http import problems
from serve_app.http.answers.responses import answer, caller_of, queue_of, request_id, service_of
from serve_app.http.openapi import PROBLEM, openapi_of, parameter
from serve_app.http.requests.bodies import must_be_plain
from serve_app.http.requests.recordings import PIECE_BYTES, Recordings, pieces
from serve_app.http.threads import reading, storing, writing

if TYPE_CHECKING:
    from data.store.resumable_uploads import Upload

VERSION, PART = "1.0.0", "application/offset+octet-stream"
EXTENSIONS = "creation,expiration,termination"
HEAD_BYTES, FEWEST_BYTES = 64 * 1024, 64  # of a beginning, by which a file is known
PART_BYTES = 64 * 1024**2  # stored before more is read: what lies here uncounted is little
MAX_NOTE = 4_096  # characters of Upload-Metadata
REFUSED = (400, 404, 409, 412, 413, 415)


def header(name: str, description: str, **schema: object) -> Any:
    return parameter(name, "header", description, **schema)


BARE: dict[str, Any] = {"status_code": 204, "response_class": Response}
SPOKEN = header("tus-resumable", "the protocol's version", type="string", enum=[VERSION])
KNOWN = openapi_of(404, 412, 503, role="anonymous", parameters=(SPOKEN,))
COUNT = {"type": "integer", "minimum": 0}


class TusRoute(APIRoute):
    """Looks at the key, then at the version; each answer says which one is spoken, refusals too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def spoken(request: Request) -> Response:
            try:
                caller_of(request)
                response = _of_another_version(request) or await handle(request)
            except Exception as error:
                if isinstance(error, TelltaleError):
                    service_of(request).metrics.rejected(type(error).__name__)
                response = problems.response(request, error)
            response.headers["Tus-Resumable"] = VERSION
            return response

        return spoken


router = APIRouter(tags=["predict"], route_class=TusRoute)


def _of_another_version(request: Request) -> Response | None:
    said = request.headers.get("tus-resumable")
    if said == VERSION or request.method in {"OPTIONS", "GET"}:
        return None
    words = f"the header Tus-Resumable must say {VERSION}, the version of tus that is spoken here"
    problem = problems.problem(412, "Precondition failed", words, request_id(request))
    return answer(problem, 412, {"Tus-Version": VERSION}, PROBLEM)


@router.options("/uploads", **BARE, **openapi_of(400, role="anonymous"))
async def options(request: Request) -> Response:
    """What of tus is spoken here, and how large a recording may be."""
    domain = of_sounds(service_of(request).domain)
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(domain.limits.max_recording_bytes),
    }
    return Response(status_code=204, headers=headers)


@router.get("/uploads", **openapi_of(400, role="viewer"))
async def own(request: Request) -> OwnUploads:
    """What came here by the caller's key; each is forgotten by DELETE. Callers without one may
    share an address, and an id is all that one needs to look at what is found in a recording."""
    service, who = service_of(request), caller_of(request, "viewer").name
    name = of_sounds(service.domain).name
    found = await reading(service.store.uploads.of, name, who)
    return OwnUploads(
        domain=name,
        uploads=tuple(
            RecordingUpload(
                id=one.id, length=one.length, came=one.came, expires=one.expires_at, note=one.note
            )
            for one in found
        ),
    )


LENGTH = header("upload-length", "bytes of the whole recording", **COUNT)
NOTE = header("upload-metadata", "kept as it is", type="string")
CREATE = openapi_of(*(400, 412, 413, 429, 503), role="anonymous", parameters=(SPOKEN, LENGTH, NOTE))


@router.post("/uploads", status_code=201, response_class=Response, **CREATE)
async def create(request: Request) -> Response:
    """A place for a recording of so many bytes, at Location; it comes there in parts, by PATCH."""
    service, who = service_of(request), queue_of(request)
    limit = of_sounds(service.domain).limits.max_recording_bytes
    length, note = _number(request, "upload-length"), request.headers.get("upload-metadata", "")
    if length > limit:
        raise ClipTooLarge(f"the recording has {length:,} bytes; at most {limit:,} are accepted")
    if not length or len(note) > MAX_NOTE:
        raise InvalidParameter(
            "Upload-Length must be at least 1"
            if not length
            else f"Upload-Metadata has at most {MAX_NOTE:,} characters"
        )
    uploads = service.store.uploads
    new = await writing(uploads.begin, service.domain.name, length, who=who, note=note)
    return _told(new, 201, {"Location": f"{request.url.path}/{new.id}"})


@router.head("/uploads/{upload_id}", response_class=Response, **KNOWN)
async def look(request: Request, upload_id: str) -> Response:
    """How many bytes of it have come."""
    found = await reading(service_of(request).store.uploads.get, upload_id)
    headers = {"Upload-Length": str(found.length), "Cache-Control": "no-store"}
    if found.note:
        headers["Upload-Metadata"] = found.note
    return _told(found, 200, headers)


OFFSET = header("upload-offset", "how many bytes came before", **COUNT)
APPEND = openapi_of(
    *(*REFUSED, 408, 422, 429, 503),
    role="anonymous",
    body={PART: {"type": "string", "format": "binary"}},
    parameters=(SPOKEN, OFFSET),
)


@router.patch("/uploads/{upload_id}", **BARE, **APPEND)
async def append(request: Request, upload_id: str) -> Response:
    """A part, behind what has come. Where it breaks off, what came of it counts."""
    uploads, came = service_of(request).store.uploads, _offset(request)
    upload = await reading(uploads.get, upload_id)
    if upload.came != came:
        raise Conflict(f"{upload.came:,} bytes have come; go on there, not at {came:,}")
    must_be_plain(request)
    with _arriving(request).place(request), tempfile.TemporaryFile() as file:
        async with aclosing(pieces(request, upload.length - came)) as found:
            more = True
            while more:
                try:
                    more = await _receive(found, file)
                finally:
                    if size := file.tell():
                        upload = await storing(_checked, uploads, upload, file, size)
                file.seek(0)
                file.truncate()
    return _told(upload, 204)


@router.post("/uploads/{upload_id}", status_code=204, include_in_schema=False)
async def override(request: Request, upload_id: str) -> Response:
    """For clients whose proxies let no other method through."""
    method = request.headers.get("x-http-method-override", "").upper()
    ways = {"PATCH": append, "DELETE": delete}
    if method not in ways:
        raise InvalidParameter("X-HTTP-Method-Override must be PATCH or DELETE")
    return await ways[method](request, upload_id)


@router.delete("/uploads/{upload_id}", **BARE, **KNOWN)
async def delete(request: Request, upload_id: str) -> Response:
    """Forgets what has come."""
    uploads = service_of(request).store.uploads
    await reading(uploads.get, upload_id)
    await writing(uploads.delete, upload_id)
    return Response(status_code=204)


def _arriving(request: Request) -> Recordings:
    arriving: Recordings = request.app.state.arriving
    return arriving


def _checked(uploads: Any, upload: "Upload", file: BinaryIO, size: int) -> "Upload":
    """Stored; what is no sound by its first bytes is refused with all of it."""
    file.seek(0)
    if upload.came == 0 and size >= FEWEST_BYTES:
        try:
            sniff(after_tags(file.read(HEAD_BYTES)))
        except ClipError:
            uploads.delete(upload.id)
            raise
    file.seek(0)
    stored: Upload = uploads.append(upload.id, upload.came, file, size)
    return stored


async def _receive(found: AsyncIterator[bytes], file: BinaryIO) -> bool:
    """Whether more may come. Also where it breaks off, all that came is in the file."""
    waiting = bytearray()
    try:
        async for piece in found:
            waiting += piece
            if len(waiting) >= PIECE_BYTES:
                whole, waiting = waiting, bytearray()
                await asyncio.to_thread(file.write, whole)
                if file.tell() >= PART_BYTES:
                    return True
    finally:
        file.write(waiting)
    return False


def _offset(request: Request) -> int:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != PART:
        raise UnsupportedClip(f"a part comes as {PART}; this request says {kind[:80]!r}")
    return _number(request, "upload-offset")


def _number(request: Request, name: str) -> int:
    text = request.headers.get(name, "")
    if not text.isdecimal() or len(text) > 18:
        raise InvalidParameter(f"the header {name} must be a number of bytes, got {text[:40]!r}")
    return int(text)


def _told(upload: "Upload", status: int, headers: dict[str, str] | None = None) -> Response:
    said = {
        "Upload-Offset": str(upload.came),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
    }
    return Response(status_code=status, headers=said | (headers or {}))
