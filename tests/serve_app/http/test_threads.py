"""threads.py: a database that is locked holds up nobody who does not write to it."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve_app.http import api, threads
from serve_app.http.api import build_api
from support.inputs.sounds import tone
from support.replica import ADMIN, Replica

CLIP = tone()
CORRECTIONS = 10
KEY = {"authorization": f"Bearer {ADMIN}"}
Ask = Callable[[httpx.AsyncClient], Awaitable[None]]


def asked_while_locked(folder: Path, ask: Ask) -> list[httpx.Response]:
    """The answers to ten corrections that wait for a locked database while `ask` goes on."""

    async def run() -> list[httpx.Response]:
        replica = Replica("keywords", folder)
        await asyncio.to_thread(lambda: replica.store)
        lock = sqlite3.connect(folder / "telltale.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        door: Any = build_api(replica)  # type: ignore[arg-type]
        at = httpx.ASGITransport(door, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=at, base_url="http://x") as client:
            waiting = [asyncio.create_task(correct(client)) for _ in range(CORRECTIONS)]
            while replica.metrics.tally["predictions"] < CORRECTIONS:
                await asyncio.sleep(0.01)
            try:
                await ask(client)
                assert not any(task.done() for task in waiting), "the lock was waited for"
            finally:
                lock.execute("ROLLBACK")
            return await asyncio.gather(*waiting)

    return asyncio.run(run())


async def correct(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/feedback", files={"file": CLIP}, data={"label": "seven"})


def test_answers_do_not_wait_for_a_locked_database(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        found = await client.post("/predict?evidence=true", files={"file": CLIP})
        assert found.status_code == 200
        assert found.json()["evidence"]
        many = await client.post("/batch-predict", files=[("files", CLIP)] * 3)
        assert many.json()["aggregate"]["failed"] == 0

    assert {found.status_code for found in asked_while_locked(tmp_path, ask)} == {201}


def test_what_is_only_read_does_not_wait_for_a_locked_database(tmp_path: Path) -> None:
    async def ask(client: httpx.AsyncClient) -> None:
        assert (await client.get("/feedback/none")).status_code == 404
        assert (await client.get("/clips", headers=KEY)).json()["clips"] == []
        assert (await client.get("/retrain", headers=KEY)).json()["runs"] == []

    assert {found.status_code for found in asked_while_locked(tmp_path, ask)} == {201}


def test_more_than_may_wait_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "MOST_WAITING", CORRECTIONS)

    async def ask(client: httpx.AsyncClient) -> None:
        found = await correct(client)
        assert found.status_code == 503
        assert found.headers["retry-after"] == "1"
        assert "requests wait for" in found.json()["detail"]  # a place that was still taken
        assert (await client.get("/feedback/none")).status_code == 404

    assert {found.status_code for found in asked_while_locked(tmp_path, ask)} == {201}


@pytest.mark.parametrize("hangs", ["the database", "the disk"])
def test_a_service_that_answers_is_ready_whatever_hangs_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: str
) -> None:
    """A balancer would take it out, and it can predict."""
    monkeypatch.setattr(api, "LOOK_PATIENCE_S", 0.3 if hangs == "the disk" else 9.0)
    monkeypatch.setattr(threads, "MOST_WAITING", 6)
    over = threading.Event()

    async def run() -> None:
        door: Any = build_api(Replica("keywords", tmp_path))  # type: ignore[arg-type]
        at = httpx.ASGITransport(door, raise_app_exceptions=False)
        async with asyncio.timeout(10), httpx.AsyncClient(transport=at, base_url="http://x") as ask:
            (await ask.post("/predict", files={"file": CLIP})).raise_for_status()
            waiting = []
            if hangs == "the database":
                waiting = [asyncio.create_task(threads.reading(over.wait)) for _ in range(6)]
            else:
                monkeypatch.setattr(api, "disk_trouble", lambda home: over.wait())
            asked = (ask.get(path) for path in ("/ready", "/status") * 5)
            for found in await asyncio.gather(*asked):
                assert found.status_code == 200, found.text
                said = [warning.partition(" (")[0] for warning in found.json()["warnings"]]
                slow = "TELLTALE_HOME cannot be looked at"
                assert said == ([slow] if hangs == "the disk" else [])
            over.set()
            await asyncio.gather(*waiting)

    try:
        asyncio.run(run())
    finally:
        over.set()
