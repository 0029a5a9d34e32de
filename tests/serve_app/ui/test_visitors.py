"""Visitors of the page are told apart, though all of their requests come from the page."""

from pathlib import Path

import pytest

from serve_app.settings import PASSED_HEADER, VISITOR_HEADER, Settings
from support.inputs.sounds import tone
from support.replica import Replica, answering

TOKEN = "of-this-start"


@pytest.fixture
def replica(tmp_path: Path) -> Replica:
    found = Replica("keywords", tmp_path)
    own = vars(found.settings) | {"start_token": TOKEN}
    found.settings = Settings(**own)
    return found


@pytest.mark.parametrize(
    ("told", "counted"),
    [
        (f"{TOKEN} 203.0.113.7", "203.0.113.7"),
        ("of-another-start 203.0.113.7", "testclient"),
        (" 203.0.113.7", "testclient"),
        ("203.0.113.7", "testclient"),
        ("", "testclient"),
    ],
)
def test_only_the_page_speaks_for_its_visitors(replica: Replica, told: str, counted: str) -> None:
    asked: list[str] = []
    predict = replica.predict

    async def noted(raw: bytes, caller: str = "", deadline: float = float("inf")) -> object:
        asked.append(caller)
        return await predict(raw, caller, deadline)

    replica.predict = noted  # type: ignore[method-assign, assignment]
    with answering(replica) as client:
        headers = {PASSED_HEADER: f"start {TOKEN}", VISITOR_HEADER: told}
        found = client.post("/predict", files={"file": tone()}, headers=headers)
    assert found.status_code == 200
    assert asked == [counted]
