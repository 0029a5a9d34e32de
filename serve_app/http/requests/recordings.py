"""Takes recordings of hours in: each arrives in a temporary file, few at once.

The file has no name, so that nothing is left of it when the request ends or the replica dies. Bytes
are counted as they arrive; a replica keeps two recordings at a time, one of a caller.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from data.errors import ClipTooLarge, InvalidParameter, NotReady, Overloaded, TooSlow
from data.store.disk import fullest
from serve_app.http.requests.bodies import (
    ENVELOPE_BYTES,
    PATIENCE_S,
    announced_bytes,
    is_form,
    next_piece,
)
from serve_app.http.requests.multipart import boundary_of
from serve_app.replica.admission import Held

AT_ONCE = 2
COME_BACK_S = 10
SLOWEST_BYTES_S = 100_000  # 0.8 Mbit/s, once the first patience is over
PIECE_BYTES = 1024**2  # written at once
IN_MEMORY_BYTES = 64 * 1024


class Recordings:
    """A replica's. Not safe between threads: everything happens on its event loop."""

    def __init__(self) -> None:
        self._held = Held()

    @asynccontextmanager
    async def read(self, request: Request, who: str, max_bytes: int) -> AsyncIterator[BinaryIO]:
        """The recording, of a form's part `file` or the body itself, inside the block. Raises
        Overloaded before it is read, ClipTooLarge, TooSlow, InvalidParameter or NotReady."""
        if self._held.refuses(who, 1, AT_ONCE):
            raise Overloaded(
                f"{self._held.total} recordings are analysed here already, or one of yours; try "
                f"again in {COME_BACK_S} s",
                COME_BACK_S,
            )
        self._held.take(who, 1)
        try:
            sent_as_form = is_form(request.headers.get("content-type", ""))
            with await (_of_form if sent_as_form else _of_body)(request, max_bytes) as file:
                yield file
        finally:
            self._held.give_back(who, 1)


def recordings_of(request: Request) -> Recordings:
    recordings: Recordings = request.app.state.recordings
    return recordings


async def _of_body(request: Request, max_bytes: int) -> BinaryIO:
    with ExitStack() as on_error:
        file = on_error.enter_context(tempfile.TemporaryFile())
        waiting = bytearray()
        async with aclosing(_pieces(request, max_bytes)) as pieces:
            async for piece in pieces:
                waiting += piece
                if len(waiting) >= PIECE_BYTES:
                    await asyncio.to_thread(file.write, waiting)
                    waiting = bytearray()
        await asyncio.to_thread(file.write, waiting)
        on_error.pop_all()
    return file


async def _of_form(request: Request, max_bytes: int) -> BinaryIO:
    """The part `file`."""
    boundary_of(request.headers.get("content-type", ""))
    async with aclosing(_pieces(request, max_bytes + ENVELOPE_BYTES)) as pieces:
        parser = MultiPartParser(request.headers, pieces, max_files=1, max_fields=1)
        parser.spool_max_size = IN_MEMORY_BYTES
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise InvalidParameter(f"the form cannot be read: {error.message}") from error
    file = form.get("file")
    if not isinstance(file, UploadFile) or len(form.multi_items()) > 1:
        await form.close()
        raise InvalidParameter(
            "the form must have one part, named 'file': -F file=@recording.wav; what else is asked "
            "for stands in the address, as ?hop_s=1"
        )
    return file.file


async def _pieces(request: Request, max_bytes: int) -> AsyncGenerator[bytes]:
    """Raises ClipTooLarge as soon as the limit is passed, TooSlow, or NotReady on a full disk."""
    received, checked, more, started = 0, 0, True, time.monotonic()
    _must_fit(announced_bytes(request), max_bytes)
    while more:
        patience_s = PATIENCE_S + received / SLOWEST_BYTES_S
        try:
            async with asyncio.timeout(started + patience_s - time.monotonic()):
                piece, more = await next_piece(request)
        except TimeoutError:
            raise TooSlow(
                f"{received:,} bytes came in {patience_s:.0f} s, and the recording is not whole; "
                "compress it (FLAC, Opus), or send it in parts"
            ) from None
        received += len(piece)
        _must_fit(received, max_bytes)
        if received - checked > PIECE_BYTES:
            checked = received
            disk = fullest([Path(tempfile.gettempdir())])
            if disk is None or disk.spare_bytes < PIECE_BYTES:
                raise NotReady("the disk is nearly full; analyse it with `telltale analyze`")
        yield piece


def _must_fit(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ClipTooLarge(
            f"the recording has {size:,} bytes or more; at most {max_bytes:,} are accepted"
        )
