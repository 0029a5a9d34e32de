"""forms.py: what forms with many files may take of a replica, read as they arrive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.store.disk import Disk
from serve_app.http.api import build_api
from serve_app.http.requests import forms
from support.replica import ADMIN, Replica

PIECE = 256 * 1024
PART = b'\r\n--b\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
FIELD = b'\r\n--b\r\nContent-Disposition: form-data; name="labels"\r\n\r\n'
END = b"\r\n--b--\r\n"
KEY = {"authorization": f"Bearer {ADMIN}"}


class Body:
    """A form that is sent piece by piece; `sent` tells how much was asked for."""

    def __init__(self, start: bytes, pieces: int, wait: Callable[[], Awaitable[object]]) -> None:
        self.sent = 0
        self._start, self._pieces, self._wait = start, pieces, wait

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._start
        for _ in range(self._pieces):
            self.sent += PIECE
            yield b"x" * PIECE
        await self._wait()
        yield END


class Door:
    """Where bodies wait before their end, until it is opened."""

    def __init__(self, expected: int) -> None:
        self.opened, self.all_there = asyncio.Event(), asyncio.Event()
        self._missing = expected

    async def wait(self) -> None:
        self._missing -= 1
        if not self._missing:
            self.all_there.set()
        await self.opened.wait()


async def at_once() -> None: ...


def body(start: bytes, pieces: int, wait: Callable[[], Awaitable[object]] = at_once) -> Any:
    return Body(start, pieces, wait)


def asked(folder: Path, ask: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """`ask` with a client of a replica, both in one event loop."""

    async def run() -> None:
        door: Any = build_api(Replica("keywords", folder))  # type: ignore[arg-type]
        kind = {"content-type": "multipart/form-data; boundary=b"}
        at = httpx.ASGITransport(door, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=at, base_url="http://x", headers=kind) as client:
            await ask(client)

    asyncio.run(run())


def test_who_has_no_key_sends_smaller_forms(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        large = body(PART, 400)
        found = await client.post("/batch-predict", content=large)
        assert found.status_code == 413
        assert "67,108,864" in found.json()["detail"]
        assert large.sent < 65 * 1024**2
        announced = {"content-length": str(100 * 1024**2)}
        found = await client.post("/batch-predict", content=body(PART, 0), headers=announced)
        assert found.status_code == 413
        found = await client.post("/batch-predict", content=body(PART, 270), headers=KEY)
        assert found.json()["results"][0]["error"]["status"] == 413

    asked(tmp_path, ask)


def test_text_is_short_and_little_however_large_the_form(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        for start, words in (
            (FIELD, "the text of the part 'labels' has over 1024 bytes"),
            (FIELD.replace(b"name=", b"filename*=x; name="), "the part 'labels' has over"),
            (PART + FIELD * 1001, "more than 1,000 parts 'labels'"),
            (FIELD + PART * 1001, "more than 1,000 parts 'files'"),
            (FIELD + (PART + PART.replace(b"files", b"masks")) * 501, "more than 1,000 files"),
        ):
            long = body(start, 40)
            found = await client.post("/upload", content=long, headers=KEY)
            assert (found.status_code, words in found.json()["detail"]) == (400, True), found.text
            assert long.sent <= 2 * PIECE

    asked(tmp_path, ask)


def test_all_forms_together_are_bounded_and_those_with_keys_have_their_own_room(
    tmp_path: Path,
) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        door = Door(3)
        lying = [
            asyncio.create_task(client.post("/batch-predict", content=body(PART, 240, door.wait)))
            for _ in range(3)
        ]
        await door.all_there.wait()
        found = await client.post("/batch-predict", content=body(PART, 100))
        assert found.status_code == 429
        assert found.headers["retry-after"] == "5"
        assert "bytes of forms lie here" in found.json()["detail"]
        found = await client.post("/batch-predict", content=body(PART, 100), headers=KEY)
        assert found.status_code == 200
        door.opened.set()
        assert {(await task).status_code for task in lying} == {200}
        found = await client.post("/batch-predict", content=body(PART, 100))
        assert found.status_code == 200, "what a form took was not given back"

    asked(tmp_path, ask)


def test_forms_that_are_read_at_once_are_few(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        door = Door(12)
        slow = [
            asyncio.create_task(client.post("/batch-predict", content=body(PART, 0, door.wait)))
            for _ in range(12)
        ]
        await door.all_there.wait()
        assert (await client.post("/batch-predict", content=body(PART, 1))).status_code == 429
        door.opened.set()
        await asyncio.gather(*slow)
        assert (await client.post("/batch-predict", content=body(PART, 1))).status_code == 200

    asked(tmp_path, ask)


@pytest.mark.parametrize("start", [PART, FIELD])
def test_a_form_whose_bytes_do_not_come_is_given_up_and_its_room_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr("serve_app.http.requests.bodies.PATIENCE_S", 0.02)

    async def ask(client: httpx.AsyncClient) -> None:
        for _ in range(20):  # more than may be read at once
            never = body(start, 0, asyncio.Event().wait)
            found = await client.post("/upload", content=never, headers=KEY)
            assert found.status_code == 408
            assert "the form is not whole" in found.json()["detail"]

    asked(tmp_path, ask)


def test_a_disk_that_is_nearly_full_takes_no_forms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "fullest", lambda folders: Disk(10**12, free_bytes=10**6))

    async def ask(client: httpx.AsyncClient) -> None:
        large = body(PART, 40)
        found = await client.post("/batch-predict", content=large, headers=KEY)
        assert found.status_code == 503
        assert "the disk is nearly full" in found.json()["detail"]
        assert large.sent <= 2 * PIECE

    asked(tmp_path, ask)
