"""How much may be uploaded to the page, and what of it may lie there.

Bytes alone bound neither the time nor the folders that many small uploads take: an upload counts as
a floor at least, and so does each of its files, which Gradio keeps in a folder of its own.
"""

import time
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path

from python_multipart.multipart import parse_options_header
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive

MOST_BYTES = 1024**3  # of all uploads that may still lie there, a quarter of it from one address
FLOOR_BYTES = 64 * 1024  # that an upload counts as, and each file of it
KEPT_S = 3600 + 600  # how long they lie there: see delete_cache in page.py
CLEAR_EACH_S = 600.0


class UploadRoom:
    """Not safe between threads: all happens on the page's event loop."""

    def __init__(self) -> None:
        self._taken: deque[tuple[float, str, int]] = deque()  # when, from where, bytes
        self._of: Counter[str] = Counter()
        self._total = 0

    def refuses(self, address: str, size: int) -> bool:
        self._forget_old()
        size = max(size, FLOOR_BYTES)
        return self._of[address] + size > MOST_BYTES / 4 or self._total + size > MOST_BYTES

    def take(self, address: str, size: int) -> None:
        size = max(size, FLOOR_BYTES)
        self._taken.append((time.monotonic(), address, size))
        self._of[address] += size
        self._total += size

    def _forget_old(self) -> None:
        while self._taken and self._taken[0][0] < time.monotonic() - KEPT_S:
            _, address, size = self._taken.popleft()
            self._total -= size
            self._of[address] -= size
            if not self._of[address]:
                del self._of[address]


def by_part(request: Request, address: str, size: int, room: UploadRoom, most: int) -> Receive:
    """The upload's body, whose files are counted as they come: those that its bytes have not paid
    for take room too, and more than `most` are refused as Gradio refuses what is no form."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    delimiter = b"--" + options.get(b"boundary", b"")  # in front of each part, and behind the last
    found, end, paid = -1, b"", max(1, size // FLOOR_BYTES)

    async def receive() -> Message:
        nonlocal found, end, paid
        message = await request.receive()
        piece = end + message.get("body", b"")
        end = piece[1 - len(delimiter) :]
        found += piece.count(delimiter)
        if found > most:
            raise MultiPartException(f"at most {most} files are taken at once")
        for _ in range(paid, found):
            room.take(address, FLOOR_BYTES)
        paid = max(paid, found)
        return message

    return receive


def clear(uploads: Path) -> None:
    """Removes what Gradio leaves: the folders of files that it has deleted, and what came of
    uploads that broke off. Blocks."""
    old = time.time() - KEPT_S
    for path in uploads.iterdir():
        with suppress(OSError):  # a folder with files in it, or one that is gone
            if path.lstat().st_mtime < old:
                path.rmdir() if path.is_dir() else path.unlink()
