"""The client's analyze, against the real route over real HTTP."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from serve_app.client.analysis_answers import Progress
from serve_app.client.client import Client
from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.http.api import build_api
from support.inputs.sounds import tone
from support.local_server import Server
from support.replica import Replica

WISHED: dict[str, Any] = {"thresholds": {"zero": 0.5, "one": 0.9}, "hop_s": 0.25}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    door: Any = build_api(Replica("keywords", tmp_path_factory.mktemp("home")))  # type: ignore[arg-type]
    with Server(door) as url, Client(url) as client:
        yield client


def test_a_file_is_answered_and_its_progress_told(client: Client, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(tone(500, seconds=30.0, rate_hz=8_000))
    told: list[Progress] = []
    with (tmp_path / "long.wav").open("rb") as file:
        found = client.analyze("keywords", file, watch=told.append, **WISHED)
    assert (found.recording.duration_s, found.hop_s) == (30.0, 0.25)
    assert (found.thresholds["zero"], found.thresholds["one"]) == (0.5, 0.9)
    assert told
    assert told[0].done is not None


def test_who_has_his_answer_may_send_the_next(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = AsyncExitStack.aclose

    async def slowly(stack: AsyncExitStack) -> None:
        await asyncio.sleep(0.2)
        await let_go(stack)

    monkeypatch.setattr(AsyncExitStack, "aclose", slowly)
    for _ in range(2):
        client.analyze("keywords", io.BytesIO(tone(500, seconds=2.0, rate_hz=8_000)))


def test_a_refusal_has_the_services_own_sentence(client: Client) -> None:
    with pytest.raises(ServiceError, match="a PDF document") as refused:
        client.analyze("keywords", io.BytesIO(b"%PDF-1.7"))
    assert refused.value.status == 415


def test_nobody_there_is_said() -> None:
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(ServiceAway, match="does not answer"),
    ):
        client.analyze("keywords", io.BytesIO(tone()))
