"""One large file over HTTP, whole or not at all.

What has arrived lies in `NAME.part` and is gone on with, after a lost connection or in a later
call, as long as the server still has the same file: it is asked for the rest by `Range`, on the
condition of `If-Range`. Only a file that is complete, and agrees with its checksum where one is
known, gets its name. httpx, because pooch, which has checksums and progress, begins anew each time.
"""

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import httpx

from data.errors import Conflict, DownloadError
from data.progress import progress

TRIES = 5  # in a row without a byte
PATIENCE_S = 30
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Checksum:
    algorithm: Literal["md5", "sha256"]
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


@dataclass(frozen=True)
class Downloaded:
    size_bytes: int
    sha256: str


def download(url: str, target: Path, checksum: Checksum | None = None) -> Downloaded:
    """Raises DownloadError, in words; what has arrived by then is kept for the next call, unless
    it is complete and wrong."""
    if target.is_file():  # it was not there before it was right
        return Downloaded(target.stat().st_size, _digests(target, ("sha256",))["sha256"])
    part = target.with_name(f"{target.name}.part")
    with _alone(part) as file:
        _arrive(url, part, file)
        digests = _digests(part, ("sha256", checksum.algorithm if checksum else "sha256"))
        if checksum and digests[checksum.algorithm] != checksum.digest:
            _discard(part)
            raise DownloadError(
                f"what came from {url} is not what was published: expected {checksum}, got "
                f"{checksum.algorithm}:{digests[checksum.algorithm]}; it was thrown away"
            )
        size = part.stat().st_size
        part.rename(target)
        _about(part).unlink(missing_ok=True)
    return Downloaded(size, digests["sha256"])


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """Two that write into one file would make one that is neither's."""
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{part.name} is being downloaded by another process") from None
        yield file


def _arrive(url: str, part: Path, file: BinaryIO) -> None:
    tries = 0
    timeout = httpx.Timeout(PATIENCE_S)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        while True:
            before = file.tell()
            try:
                _take_rest(client, url, part, file)
                return
            except (httpx.TransportError, _Unwell) as error:
                tries = 1 if file.tell() > before else tries + 1
                if tries >= TRIES:
                    raise DownloadError(
                        f"{url} cannot be downloaded: {error or type(error).__name__}; what has "
                        f"arrived ({file.tell():,} bytes) is kept: try again later"
                    ) from error
                time.sleep(min(2**tries / 4, 10))


class _Unwell(Exception):
    """The server says that it may be better in a moment."""


def _take_rest(client: httpx.Client, url: str, part: Path, file: BinaryIO) -> None:
    have, known = file.tell(), _known(part, url)
    # Ranges are of the bytes as they travel: compressed ones would not fit together.
    headers = {"Accept-Encoding": "identity"}
    if have and known:
        headers |= {"Range": f"bytes={have}-", "If-Range": known}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            _empty(file)
            raise _Unwell("the file on the server is shorter than what has arrived")
        if response.status_code >= 500 or response.status_code == 429:
            raise _Unwell(f"the server answers {response.status_code} {response.reason_phrase}")
        start = f"bytes {have}-"
        if response.status_code == 206 and not response.headers["content-range"].startswith(start):
            raise DownloadError(f"{url} cannot be gone on with: the server sends another part")
        if response.status_code not in (200, 206):
            raise DownloadError(
                f"{url} cannot be downloaded: the server answers {response.status_code} "
                f"{response.reason_phrase}"
            )
        if response.status_code == 200:
            have = 0
            _empty(file)
            _note(part, url, response.headers)
        _write(response, file, have)


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


def _write(response: httpx.Response, file: BinaryIO, have: int) -> None:
    length = response.headers.get("content-length")
    total = have + int(length) if length else None
    name = Path(file.name).name.removesuffix(".part")
    with progress(name, total, "B", have) as advance:
        for block in response.iter_raw():  # blocks of a fixed size would be lost half full
            file.write(block)
            advance(len(block))
    file.flush()


def _about(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _note(part: Path, url: str, headers: httpx.Headers) -> None:
    etag = headers.get("etag", "")
    # A weak tag does not promise the same bytes, so no range may depend on it.
    validator = etag if etag and not etag.startswith("W/") else headers.get("last-modified")
    _about(part).write_text(json.dumps({"url": url, "validator": validator}))


def _known(part: Path, url: str) -> str | None:
    """What names the version on the server that has arrived in part."""
    try:
        about = json.loads(_about(part).read_bytes())
        return about["validator"] if about["url"] == url else None
    except (OSError, ValueError, KeyError):
        return None


def _digests(file: Path, algorithms: tuple[str, ...]) -> dict[str, str]:
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with file.open("rb") as source, progress("checking", file.stat().st_size, "B") as advance:
        while block := source.read(BLOCK_BYTES):
            for one in hashes.values():
                one.update(block)
            advance(len(block))
    return {name: one.hexdigest() for name, one in hashes.items()}


def _discard(part: Path) -> None:
    part.unlink()
    _about(part).unlink(missing_ok=True)
