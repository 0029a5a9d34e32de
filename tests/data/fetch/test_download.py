"""download.py against a real server that does what servers do to large files."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from data.errors import Conflict, DownloadError
from data.fetch import download as module
from data.fetch.download import Checksum, download
from support.local_server import Server

CONTENT = bytes(range(256)) * 4096  # 1 MiB
RIGHT = Checksum("sha256", hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Files:
    """Serves CONTENT in ranges; `cut` says after how many bytes the next connections break."""

    content: bytes = CONTENT
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(headers.get("range", ""))
        if self.statuses:
            await send({"type": "http.response.start", "status": self.statuses.pop(0)})
            await send({"type": "http.response.body", "body": b"no"})
            return
        start = 0
        if headers.get("if-range") == self.etag:
            start = int(headers["range"].removeprefix("bytes=").removesuffix("-"))
        body = self.content[start:]
        answer = [(b"content-length", str(len(body)).encode()), (b"etag", self.etag.encode())]
        if start:
            size = len(self.content)
            answer.append((b"content-range", f"bytes {start}-{size - 1}/{size}".encode()))
        await send(
            {"type": "http.response.start", "status": 206 if start else 200, "headers": answer}
        )
        cut = self.cuts.pop(0) if self.cuts else len(body)
        await send({"type": "http.response.body", "body": body[:cut], "more_body": cut < len(body)})


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def url(files: Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("data.fetch.download.time.sleep", lambda seconds: None)
    with Server(files) as address:
        yield f"{address}/set.zip"


def test_a_file_comes_whole_with_its_size_and_digest(url: str, tmp_path: Path) -> None:
    got = download(url, tmp_path / "set.zip", RIGHT)
    assert (tmp_path / "set.zip").read_bytes() == CONTENT
    assert (got.size_bytes, got.sha256) == (len(CONTENT), RIGHT.digest)
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]


def test_a_lost_connection_is_gone_on_with_where_it_broke(
    url: str, files: Files, tmp_path: Path
) -> None:
    files.cuts = [300_000, 500_000]
    download(url, tmp_path / "set.zip", RIGHT)
    assert files.asked[0] == ""
    assert len(files.asked) == 3
    assert all(range_.startswith("bytes=") for range_ in files.asked[1:])
    assert (tmp_path / "set.zip").read_bytes() == CONTENT


def test_a_later_call_goes_on_with_what_has_arrived(url: str, files: Files, tmp_path: Path) -> None:
    files.cuts = [300_000] + [0] * 10
    with pytest.raises(DownloadError, match="what has arrived .* is kept"):
        download(url, tmp_path / "set.zip")
    assert not (tmp_path / "set.zip").exists()
    assert (tmp_path / "set.zip.part").stat().st_size > 0
    files.cuts, files.asked = [], []
    download(url, tmp_path / "set.zip", RIGHT)
    assert files.asked[0].startswith("bytes=")


def test_a_file_that_changed_on_the_server_is_not_mixed_with_the_old_one(
    url: str, files: Files, tmp_path: Path
) -> None:
    files.cuts = [300_000] + [0] * 10
    pytest.raises(DownloadError, download, url, tmp_path / "set.zip")
    files.cuts, files.content, files.etag = [], CONTENT[::-1], '"two"'
    download(url, tmp_path / "set.zip")
    assert (tmp_path / "set.zip").read_bytes() == CONTENT[::-1]


def test_another_url_does_not_go_on_with_the_first_ones_part(
    url: str, files: Files, tmp_path: Path
) -> None:
    files.cuts = [300_000] + [0] * 10
    pytest.raises(DownloadError, download, url, tmp_path / "set.zip")
    files.cuts, files.asked = [], []
    download(url.replace("set", "other"), tmp_path / "set.zip", RIGHT)
    assert files.asked == [""]


def test_a_wrong_checksum_is_told_and_leaves_nothing(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=f"expected md5:{'0' * 32}, got md5:"):
        download(url, tmp_path / "set.zip", Checksum("md5", "0" * 32))
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_not_asked_for_again(url: str, files: Files, tmp_path: Path) -> None:
    files.statuses = [404, 404]
    with pytest.raises(DownloadError, match="answers 404 Not Found"):
        download(url, tmp_path / "set.zip")
    assert len(files.asked) == 1


def test_a_server_that_is_busy_is_asked_again(url: str, files: Files, tmp_path: Path) -> None:
    files.statuses = [503, 429]
    download(url, tmp_path / "set.zip", RIGHT)
    assert len(files.asked) == 3


def test_a_server_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.fetch.download.time.sleep", lambda seconds: None)
    with pytest.raises(DownloadError, match="http://127.0.0.1:9/x cannot be downloaded"):
        download("http://127.0.0.1:9/x", tmp_path / "x")


def test_two_cannot_write_the_same_file(url: str, tmp_path: Path) -> None:
    with module._alone(tmp_path / "set.zip.part"), pytest.raises(Conflict, match="another process"):
        download(url, tmp_path / "set.zip")
