"""standing.py: many who look at once ask the service once."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serve_app.client.client import Client
from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.ui.app import build_page
from serve_app.ui.standing import Standing
from support.fakes.fake_api import ADMIN, create
from support.fakes.fake_world import World
from support.local_server import Server, below_ui


@pytest.mark.parametrize("away", [False, True])
def test_how_the_service_stands_is_asked_once_for_all_who_look_at_once(
    away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def status() -> str:
        asked.append(1)
        if away:
            raise ServiceAway("nothing answers")
        return "well"

    client: Any = SimpleNamespace(status=status)
    standing = Standing(client)

    def look(_: int) -> object:
        try:
            return standing.status()
        except ServiceError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(look, range(8))) == {"nothing answers" if away else "well"}
    assert len(asked) == 1
    monkeypatch.setattr("serve_app.ui.standing.STANDS_S", -1.0)
    look(0)
    assert len(asked) == 2


def test_a_page_is_told_what_serves_and_when_to_ask_again_or_that_nothing_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.ui.standing.STANDS_S", 0.0)
    world = World(step_s=0.1)

    async def built(api: str) -> FastAPI:  # Gradio wants a loop
        return build_page(api, tmp_path / "uploads")

    def told(at: str) -> dict[str, Any]:
        asked = {"domain": "faults", "lang": "es"}
        return dict(httpx.get(f"{at}/ui/standing", params=asked, trust_env=False).json())

    with contextlib.ExitStack() as page:
        with Server(create(world)) as api:
            app = asyncio.run(built(api))
            at = page.enter_context(Server(below_ui(app)))
            before = told(at)
            assert before["serving"].startswith("versión 1")
            assert before["again_s"] > 0
            with Client(api, key=ADMIN) as admin:
                admin.retrain("faults", "teach", "by a colleague")
            assert told(at)["seen"] != before["seen"]
        assert told(at)["away"].startswith("El servicio no responde")
