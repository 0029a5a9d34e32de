"""replica_process.py: which domain's routes a path is for, where several share a process."""

import asyncio
from typing import Any

import pytest

from serve_app.replica_process import ByDomain


@pytest.mark.parametrize(
    ("scope", "answers"),
    [
        ({"path": "/predict"}, "faults"),
        ({"path": "/faults/predict"}, "faults"),
        ({"path": "/hearts/predict"}, "hearts"),
        ({"path": "/hearts/clips/1/audio"}, "hearts"),
        ({"path": "/hearts/stream", "type": "websocket"}, "hearts"),
        ({"path": "/heartsease/predict"}, "faults"),
        ({"path": "/predict/hearts/"}, "faults"),
        ({"path": "/hearts"}, "faults"),  # which says that there is something below it
        ({"path": ""}, "faults"),
        ({"type": "lifespan"}, "faults"),
    ],
)
def test_a_path_is_for_the_domain_that_it_names_or_for_the_first(
    scope: dict[str, Any], answers: str
) -> None:
    asked: list[str] = []

    def app(name: str) -> Any:
        async def answering(*_: object) -> None:
            asked.append(name)

        return answering

    apps = ByDomain({"faults": app("faults"), "hearts": app("hearts")})
    asyncio.run(apps({"type": "http", **scope}, None, None))  # type: ignore[arg-type]
    assert asked == [answers]
