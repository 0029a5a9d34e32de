"""shared.py: many who look at once ask the service once."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from serve_app.client.connection import ServiceAway, ServiceError
from serve_app.ui.shared import Standing


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
    monkeypatch.setattr("serve_app.ui.shared.STANDS_S", -1.0)
    look(0)
    assert len(asked) == 2
