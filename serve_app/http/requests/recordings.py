"""Takes recordings of hours in: each arrives in a temporary file, few at once.

The file has no name, so that nothing is left of it when the request ends or the replica dies. Bytes
are counted as they arrive; a replica keeps two recordings at a time, one of a caller, and as many
of callers with a key.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request

from data.errors import ClipTooLarge, InvalidParameter, NotReady, Overloaded, TooSlow
from data.store.disk import fullest
from serve_app.http.answers.responses import caller_of, queue_of
from serve_app.http.requests.bodies import (
    ENVELOPE_BYTES,
    ONE_FILE,
    PATIENCE_S,
    announced_bytes,
    is_form,
    must_be_plain,
    must_be_raw,
    next_piece,
)
from serve_app.http.requests.multipart import FormReader
from serve_app.replica.admission import Held

AT_ONCE = 2
COME_BACK_S = 10
SLOWEST_BYTES_S = 100_000  # 0.8 Mbit/s, once the first patience is over
PIECE_BYTES = 1024**2  # written at once


class Recordings:
    """A replica's. Not safe between threads: everything happens on its event loop."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self.keyed, self.anonymous = Held(), Held()

    @asynccontextmanager
    async def read(self, request: Request, max_bytes: int) -> AsyncIterator[BinaryIO]:
        """The recording, of a form's part `file` or the body itself, inside the block. Raises
        Overloaded before it is read, ClipTooLarge, UnsupportedClip, TooSlow, InvalidParameter or
        NotReady."""
        must_be_plain(request)
        with self.place(request), tempfile.TemporaryFile() as file:
            await _receive(request, max_bytes, file)
            yield file

    @contextmanager
    def place(self, request: Request) -> Iterator[None]:
        """For a recording that lies here. Raises Overloaded."""
        who, is_anonymous = queue_of(request), caller_of(request).role == "anonymous"
        held = self.anonymous if is_anonymous else self.keyed
        if held.refuses(who, 1, self._at_once):
            raise Overloaded(
                f"{held.total} recordings are taken in or analysed here already, or some of "
                f"yours; try again in {COME_BACK_S} s",
                COME_BACK_S,
            )
        held.take(who, 1)
        try:
            yield
        finally:
            held.give_back(who, 1)


def recordings_of(request: Request) -> Recordings:
    recordings: Recordings = request.app.state.recordings
    return recordings


async def _receive(request: Request, max_bytes: int, file: BinaryIO) -> None:
    kind = request.headers.get("content-type", "")
    form = FormReader(kind, ONE_FILE) if is_form(kind) else None
    if form is None:
        must_be_raw(kind)
    waiting = bytearray()
    async with aclosing(pieces(request, max_bytes + (ENVELOPE_BYTES if form else 0))) as came:
        async for piece in came:
            waiting += _of_file(form, piece) if form else piece
            if len(waiting) >= PIECE_BYTES:
                await asyncio.to_thread(file.write, waiting)
                waiting = bytearray()
    if form:
        form.finish()
        if not form.parts:
            raise InvalidParameter("the form has no part named 'file': -F file=@recording.wav")
    await asyncio.to_thread(file.write, waiting)
    await asyncio.to_thread(file.flush)  # decoders read it by its descriptor


def _of_file(form: FormReader, piece: bytes) -> bytes:
    form.feed(piece)
    found = b"".join(data for _, data in form.pending)
    form.pending.clear()
    return found


async def pieces(request: Request, max_bytes: int) -> AsyncGenerator[bytes]:
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
