"""Reads forms with many files, within what a replica's disk and memory can hold.

The files lie in the temporary folder until the form is answered. Bytes are counted as they arrive,
in all and by caller, and refused before they are written. Callers without a key have bounds of
their own, so that they cannot take the room of those with one.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from data.errors import ClipTooLarge, InvalidParameter, NotReady, Overloaded, TooSlow
from data.store.disk import fullest
from serve_app.http.answers.responses import caller_of, queue_of
from serve_app.http.requests import bodies
from serve_app.http.requests.multipart import FormPart, FormReader, Rules
from serve_app.replica.admission import Held

MAX_FORM_BYTES = 512 * 1024**2
IN_MEMORY_BYTES = 16 * 1024  # of a file; a form may have a thousand
SLOWEST_BYTES_S = 150_000  # 1.2 Mbit/s, once the first patience is over
COME_BACK_S = 5


@dataclass
class Bounds:
    """What forms of some callers may take, and what they hold of it."""

    form_bytes: int
    all_bytes: int
    forms: int
    held_bytes: Held = field(default_factory=Held)
    held_forms: Held = field(default_factory=Held)

    @contextmanager
    def place(self, who: str) -> Iterator["Place"]:
        if self.held_forms.refuses(who, 1, self.forms):
            raise Overloaded(
                f"{self.held_forms.total} forms are read here already; try again in "
                f"{COME_BACK_S} s, or send clips one by one to /predict",
                COME_BACK_S,
            )
        self.held_forms.take(who, 1)
        place = Place(who, self)
        try:
            yield place
        finally:
            self.held_forms.give_back(who, 1)
            self.held_bytes.give_back(who, place.size)


@dataclass
class Place:
    """One form's bytes, which `hold` is told of before they are kept."""

    who: str
    bounds: Bounds
    size: int = 0

    def hold(self, size: int) -> None:
        """Raises ClipTooLarge, Overloaded, or NotReady where the disk is nearly full."""
        must_be_allowed(self.size + size, self.bounds)
        if self.bounds.held_bytes.refuses(self.who, size, self.bounds.all_bytes):
            raise Overloaded(
                f"{self.bounds.held_bytes.total:,} bytes of forms lie here already; try again in "
                f"{COME_BACK_S} s",
                COME_BACK_S,
            )
        disk = fullest([Path(tempfile.gettempdir())])
        if disk is None or disk.spare_bytes < size:
            raise NotReady("the disk is nearly full; send clips one by one to /predict")
        self.bounds.held_bytes.take(self.who, size)
        self.size += size


class Forms:
    """A replica's. Not safe between threads: everything happens on its event loop."""

    def __init__(self) -> None:
        self._keyed = Bounds(MAX_FORM_BYTES, 2 * MAX_FORM_BYTES, forms=16)
        self._anonymous = Bounds(64 * 1024**2, 256 * 1024**2, forms=16)

    @asynccontextmanager
    async def read(self, request: Request, rules: Rules) -> AsyncIterator[FormData]:
        """The form's parts inside the block; their files are deleted behind it. Raises
        InvalidParameter for what is no form or has a part that `rules` do not allow, and what
        `Place.hold`, `_pieces` and `must_be_plain` raise."""
        content_type = request.headers.get("content-type", "")
        if not bodies.is_form(content_type):
            raise InvalidParameter(
                "clips come as multipart/form-data; add them as -F files=@a.wav, one for each"
            )
        bodies.must_be_plain(request)
        reader = FormReader(content_type, rules)
        anonymous = caller_of(request).role == "anonymous"
        bounds = self._anonymous if anonymous else self._keyed
        must_be_allowed(bodies.announced_bytes(request), bounds)
        with bounds.place(queue_of(request)) as place:
            files: dict[FormPart, UploadFile] = {}
            try:
                async with aclosing(_pieces(request, place)) as pieces:
                    async for piece in pieces:
                        reader.feed(piece)
                        await _write_out(reader, files)
                reader.finish()
                yield await _whole(reader, files)
            finally:
                for file in files.values():
                    await file.close()


async def _write_out(reader: FormReader, files: dict[FormPart, UploadFile]) -> None:
    for part, data in reader.pending:
        await _file_of(part, files).write(data)
    reader.pending.clear()


async def _whole(reader: FormReader, files: dict[FormPart, UploadFile]) -> FormData:
    found: list[tuple[str, UploadFile | str]] = []
    for part in reader.parts:
        if part.is_file:
            await _file_of(part, files).seek(0)
        found.append((part.name, files[part] if part.is_file else part.text))
    return FormData(found)


def _file_of(part: FormPart, files: dict[FormPart, UploadFile]) -> UploadFile:
    if part not in files:
        spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
        files[part] = UploadFile(spooled, size=0, filename=part.filename)  # type: ignore[arg-type]
    return files[part]


async def _pieces(request: Request, place: Place) -> AsyncGenerator[bytes]:
    """Raises TooSlow where less comes than a slow telephone line brings."""
    started, more = time.monotonic(), True
    while more:
        patience_s = bodies.PATIENCE_S + place.size / SLOWEST_BYTES_S
        left_s = started + patience_s - time.monotonic()
        try:
            async with asyncio.timeout(left_s):
                piece, more = await bodies.next_piece(request)
        except TimeoutError:
            raise TooSlow(
                f"{place.size:,} bytes came in {patience_s:.0f} s, and the form is not whole; "
                "send fewer clips in one form"
            ) from None
        place.hold(len(piece))
        yield piece


def must_be_allowed(size: int, bounds: Bounds) -> None:
    if size > bounds.form_bytes:
        raise ClipTooLarge(
            f"the form has {size:,} bytes or more; at most {bounds.form_bytes:,} are accepted "
            "from this caller; send fewer clips in one form, or a key"
        )


def forms_of(request: Request) -> Forms:
    forms: Forms = request.app.state.forms
    return forms


def files_of(form: FormData, *names: str) -> list[UploadFile]:
    """The files of these parts, in the order of the form."""
    parts = (part for name, part in form.multi_items() if name in names)
    return [part for part in parts if isinstance(part, UploadFile)]
