"""problems.py: a body that does not fit is told of in words that help who wrote it."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from support.replica import ADMIN, Replica, answering

AS_JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with answering(Replica("keywords", tmp_path_factory.mktemp("home"))) as client:
        client.headers["authorization"] = f"Bearer {ADMIN}"
        yield client


@pytest.mark.parametrize(
    ("path", "asked", "words"),
    [
        ("/retrain", {"content": "{mode"}, "the body must be a JSON object"),
        ("/retrain", {"content": "{mode", "headers": AS_JSON}, "the body is not JSON: "),
        ("/retrain", {"json": {"epoch": 3}}, "there is no 'epoch'; there are "),
        ("/retrain", {"json": {"mode": "tech"}}, "mode: Input should be 'teach' or 'full'"),
        ("/keys", {}, "the body must be a JSON object (days, name, role)"),
        ("/clips/abc/relabel", {"json": {}}, "label: Field required"),
    ],
)
def test_a_body_that_does_not_fit_is_told_of_in_words(
    client: TestClient, path: str, asked: dict[str, Any], words: str
) -> None:
    found = client.post(path, **asked)
    assert found.status_code == 400
    assert words in found.json()["detail"]
