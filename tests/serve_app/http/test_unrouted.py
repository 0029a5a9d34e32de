"""unrouted.py: who asks for what is not there is told what is, and how it is asked."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from support.replica import Replica, answering


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("home")
    replica = Replica("keywords", folder)
    replica.settings = replace(replica.settings, domains=("keywords", "faults"))
    with answering(replica) as client:
        yield client
    replica.store.close()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "/hearts/predict",
            "no domain 'hearts' here; there are keywords, faults, as /keywords/pre",
        ),
        ("/hearts/v2/models/hearts/infer", "no domain 'hearts' here"),
        ("/faults", "what can be asked of faults is below it, as /faults/predict"),
        ("/predic", "nothing at '/predic'; did you mean /predict?; all routes stand at /docs"),
        ("/keywords/xyzzy", "nothing at '/xyzzy'; all routes stand at /docs"),
        ("/stream", "a WebSocket: ask it as ws://testserver/stream"),
        ("/" + "a" * 5_000, "nothing at '/aaa"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(client: TestClient, path: str, words: str) -> None:
    found = client.get(path)
    assert (found.status_code, found.json()["title"]) == (404, "Not Found")
    assert words in found.json()["detail"]
    assert len(found.content) < 600


@pytest.mark.parametrize(
    ("method", "path", "allow", "words"),
    [
        ("GET", "/predict", "POST", "by POST: curl -F file=@FILE http://testserver/predict"),
        ("GET", "/api/batch-predict", "POST", "curl -F files=@FILE http://testserver/api/batch-p"),
        ("PUT", "/keywords/feedback", "POST, GET", "curl -F file=@FILE -F label=... http://test"),
        ("POST", "/status", "GET", "by GET: curl -X GET http://testserver/status"),
        ("POST", "/models", "GET", "by GET: curl -X GET http://testserver/models"),
        ("GET", "/clips/abc/relabel", "POST", "-d '{...}' http://testserver/clips/abc/relabel"),
    ],
)
def test_another_method_is_told_how_it_is_asked(
    client: TestClient, method: str, path: str, allow: str, words: str
) -> None:
    found = client.request(method, path)
    assert (found.status_code, found.headers["allow"]) == (405, allow)
    assert words in found.json()["detail"]


@pytest.mark.parametrize("path", ["/docs", "/livez"])
def test_a_wrong_method_of_what_openapi_leaves_out_is_told_the_right_one(
    client: TestClient, path: str
) -> None:
    found = client.post(path)
    assert found.status_code == 405
    assert "GET" in found.headers["allow"]
    assert f"{path} is asked by" in found.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/health"), ("GET", "/keywords/model-info"), ("POST", "/predict"), ("HEAD", "/ready")],
)
def test_a_slash_at_the_end_leads_on_and_is_told_of(
    client: TestClient, method: str, path: str
) -> None:
    bare = client.request(method, f"{path}/?top_k=1")
    assert (bare.status_code, bare.headers["location"]) == (307, f"{path}?top_k=1")
    assert method == "HEAD" or f"without the slash at its end: {path}?top_k=1" in bare.text
    led = client.request(method, f"{path}/", follow_redirects=True)
    assert led.status_code == client.request(method, path).status_code


@pytest.mark.parametrize("path", ["/xyzzy/", "//example.org/", "//"])
def test_a_slash_behind_nothing_leads_nowhere(client: TestClient, path: str) -> None:
    assert client.get(f"http://testserver{path}").status_code == 404
