"""The damage that the chaos test does is done, seen, and undone."""

import asyncio
import errno
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from data.errors import NotReady
from loadtest.chaos import damage, kills
from loadtest.chaos.clients import Ledger
from loadtest.chaos.disturbance import Skipped, Subject
from loadtest.own_service import Service
from support.local_server import Server


def service(home: Path, port: int = 9) -> Service:
    return Service(home, home, port, "keywords")


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is held for a time; what is seen meanwhile is noted instead."""
    monkeypatch.setattr(damage, "HOLD_S", 0.0)
    return []


def test_a_locked_database_is_locked_and_then_no_longer(
    held: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "telltale.db"
    sqlite3.connect(path).execute("CREATE TABLE any (id)").connection.close()

    def look(seconds: float) -> None:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            write(path)
        held.append("locked")

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", look)
        damage.database_locked(Subject(service(tmp_path), Ledger("keywords")))
    write(path)
    assert held == ["locked"]


def write(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=0)
    try:
        with connection:
            connection.execute("INSERT INTO any VALUES (1)")
    finally:
        connection.close()


def test_a_full_disk_has_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(damage, "DISK", "4m")
    monkeypatch.setattr(damage, "HOLD_S", 0.01)
    home = tmp_path / "home"
    full: list[int] = []

    def look(seconds: float) -> None:
        try:
            (home / "clip").write_bytes(bytes(100_000))
        except OSError as error:
            full.append(error.errno or 0)

    monkeypatch.setattr(time, "sleep", look)
    with damage.small_disk(home):
        subject = Subject(service(home), Ledger("keywords"))
        try:
            damage.disk_full(subject)
        except Skipped as reason:
            pytest.skip(str(reason))
        (home / "clip").write_bytes(bytes(100_000))
    assert full
    assert set(full) == {errno.ENOSPC}


def test_keys_to_be_taken_over_are_nonsense_for_a_while(tmp_path: Path, held: list[str]) -> None:
    damage.damaged_keys(Subject(service(tmp_path), Ledger("keywords")))
    assert not (tmp_path / "keys.json").exists()


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ("telltale: the database is damaged; restore a backup", 1, []),
        ("Traceback (most recent call last):", 1, ["the refusal is a traceback"]),
        ("killed", 2, ["the refused start ended with exit code 2, not 1"]),
        ("Telltale is up, serving keywords.", 0, ["it started on a database that is none"]),
    ],
)
def test_a_start_with_a_damaged_database_must_be_refused_in_words(
    said: str, code: int, words: list[str], tmp_path: Path
) -> None:
    refused = service(tmp_path)
    refused.process = subprocess.Popen(["bash", "-c", f"exit {code}"])
    refused.log.write_text(said)
    assert damage._not_refused(refused) == words


class Retraining:
    """Takes the second order; its runs end as `states` says."""

    def __init__(self, *states: str) -> None:
        self.orders = 0
        self.states = list(states)

    def request(self, method: str, path: str, json: dict[str, str]) -> object:
        self.orders += 1
        taken = self.orders > 1
        return type(
            "Answer", (), {"status_code": 202 if taken else 409, "json": lambda _: {"id": "r"}}
        )()

    def get(self, path: str) -> dict[str, object]:
        state = self.states.pop(0)
        return {"state": state, "finished": None if state == "running" else "now", "result": {}}


def test_a_retrain_is_ordered_until_it_is_taken_and_followed_to_its_end() -> None:
    back = kills.retrained(Retraining("running", "succeeded"))  # type: ignore[arg-type]
    assert [back() for _ in range(4)] == [False, False, False, True]


def test_a_retrain_that_ends_badly_is_not_waited_for() -> None:
    back = kills.retrained(Retraining("failed"), "r")  # type: ignore[arg-type]
    with pytest.raises(NotReady, match="ended as failed"):
        back()


def test_slow_heads_stay_unfinished_until_somebody_closes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HEADS": 5, "CONNECT_S": 0.1, "FLOOD_S": 0.3, "TRICKLE_S": 0.1}.items():
        monkeypatch.setattr(damage, name, value)
    with Server(FastAPI()) as url:
        port = int(url.rpartition(":")[2])
        found = damage.slow_heads(Subject(service(tmp_path, port), Ledger("keywords")))
    assert found.notes == ("5 of 5 still open after 0.3 s",)
    found = damage.slow_heads(Subject(service(tmp_path, port), Ledger("keywords")))
    assert found.notes == ("0 of 5 still open after 0.3 s",)


def test_a_form_is_as_long_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, bodies = FastAPI(), []

    @app.post("/batch-predict")
    async def batch(request: Request) -> Response:
        bodies.append(await request.body())
        return Response(status_code=413)

    for name, value in {"SETTLE_S": 0, "FORM_PARTS": 3, "PART_BYTES": 1000, "FORMS": 2}.items():
        monkeypatch.setattr(damage, name, value)
    with Server(app) as url:
        port = int(url.rpartition(":")[2])
        found = damage.big_forms(Subject(service(tmp_path, port), Ledger("keywords")))
    assert found.notes[0] == "answers 413, 413"
    assert [body.count(b'name="files"; filename="clip.wav"') for body in bodies] == [3, 3]
    assert {len(body) > 3000 and body[-4:] for body in bodies} == {b"--\r\n"}


def test_a_form_whose_answer_trickles_is_given_up_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = FastAPI()

    async def trickled() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"."
            await asyncio.sleep(0.05)

    @app.post("/batch-predict")
    async def batch() -> Response:
        return StreamingResponse(trickled())

    for name, value in {"SETTLE_S": 0, "FORM_S": 0.3, "FIELDS": 1, "FIELD_BYTES": 10}.items():
        monkeypatch.setattr(damage, name, value)
    with Server(app) as url:
        port = int(url.rpartition(":")[2])
        found = damage.text_form(Subject(service(tmp_path, port), Ledger("keywords")))
    assert found.notes[0] == "answers TimeoutError"
