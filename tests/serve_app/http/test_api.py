"""api.py, problems.py: whatever anybody asks of the routes is answered in words."""

import csv
import io
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from support.inputs.sounds import tone
from support.replica import ADMIN, Replica, answering

CLIP = tone()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with tempfile.TemporaryDirectory() as home, answering(Replica("keywords", Path(home))) as found:
        yield found


def is_problem(found: Any, status: int) -> bool:
    kind = found.headers["content-type"]
    return (found.status_code, kind) == (status, "application/problem+json")


def test_a_prediction_is_answered(client: TestClient) -> None:
    found = client.post("/predict?top_k=2&evidence=true", files={"file": CLIP})
    assert found.status_code == 200
    assert len(found.json()["probabilities"]) == 2


@pytest.mark.parametrize("top_k", ["0", "9" * 5000, "1" * 20, "٣", "-1", "1e3", "NaN", "\0"])
def test_a_number_of_labels_that_is_none_is_refused(client: TestClient, top_k: str) -> None:
    found = client.post("/predict", params={"top_k": top_k}, files={"file": CLIP})
    assert is_problem(found, 400), found.text
    assert len(found.json()["detail"]) < 300


def test_a_long_name_of_a_request_is_not_repeated_with_each_clip(client: TestClient) -> None:
    named = {"x-request-id": "r" * 50_000}
    for path, part in (("/predict", "file"), ("/batch-predict", "files"), ("/nowhere", "file")):
        found = client.post(path, files=[(part, CLIP)], headers=named)
        assert "r" * 200 in found.text
        assert len(found.content) < 5_000


@pytest.mark.parametrize("path", ["/predict", "/feedback", "/batch-predict", "/upload"])
@pytest.mark.parametrize("boundary", ["b" * 257, "b" * 5000])
def test_a_boundary_that_is_too_long_is_refused(
    client: TestClient, path: str, boundary: str
) -> None:
    body = f"--{boundary}\r\n".encode() + b"x" * 100
    kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
    found = client.post(path, content=body, headers=kind | {"authorization": f"Bearer {ADMIN}"})
    assert is_problem(found, 400), found.text
    assert "boundary" in found.json()["detail"]


@pytest.mark.parametrize("name", ["=cmd()", "\t=cmd()", " =cmd()", "\tx", "\u00a0-1", "＋1", "@a"])
def test_a_name_that_a_spreadsheet_would_run_is_quoted(client: TestClient, name: str) -> None:
    disposition = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    body = f"--b\r\n{disposition}\r\n\r\nx\r\n--b--\r\n".encode()
    kind = {"content-type": "multipart/form-data; boundary=b", "accept": "text/csv"}
    found = client.post("/batch-predict", content=body, headers=kind)
    (row,) = csv.DictReader(io.StringIO(found.text))
    assert row["file"] == f"'{name}"


@pytest.mark.parametrize(
    "path", ["/retrain", "/api/clips/1/relabel", "/keywords/feedback/1/reject"]
)
def test_an_order_is_small_and_not_read_beyond_that(client: TestClient, path: str) -> None:
    sent: list[int] = []

    def order() -> Iterator[bytes]:
        yield b'{"reason": "'
        for number in range(100):
            sent.append(number)
            yield b"x" * 100_000

    headers = {"content-type": "application/json", "authorization": f"Bearer {ADMIN}"}
    found = client.post(path, content=order(), headers=headers)
    assert is_problem(found, 413), found.text
    assert "65,536 bytes" in found.json()["detail"]


@pytest.mark.parametrize("path", ["/batch-predict", "/upload", "/predict", "/feedback", "/retrain"])
@pytest.mark.parametrize("length", ["9" * 19, "9" * 5000])
def test_a_body_that_is_announced_too_large_is_refused_in_words(
    client: TestClient, path: str, length: str
) -> None:
    kind = {"content-type": "multipart/form-data; boundary=b", "content-length": length}
    key = {"authorization": f"Bearer {ADMIN}"}
    found = client.post(path, content=b"--b--", headers=kind | key)
    expected = 400 if path == "/retrain" else 413  # of an order only what arrives is looked at
    assert is_problem(found, expected), found.text


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/keywords/readyz"])
def test_whoever_watches_it_asks_as_he_is_used_to(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 200


APP = {"origin": "https://app.example.org"}


def test_many_who_ask_for_the_status_cost_the_curator_few_looks_and_see_what_is_theirs(
    tmp_path: Path,
) -> None:
    replica, looks = Replica("keywords", tmp_path), [0]
    run = {
        **{
            "id": "r",
            "domain": "keywords",
            "mode": "teach",
            "trigger": "person",
            "state": "queued",
        },
        **{"reason": "a voice", "who": "ann", "created": "2026-01-01T00:00:00Z"},
    }

    async def status() -> dict[str, Any]:
        looks[0] += 1
        row = {"title": "", "replicas": [], "agree": True, "running": [run]}
        return {"domains": {"keywords": row}, "curator_pid": 1}

    replica.curator = SimpleNamespace(status=SimpleNamespace(remote=status))
    keys: list[dict[str, str]] = [{}, {"authorization": f"Bearer {ADMIN}"}] * 20
    with answering(replica) as client, ThreadPoolExecutor(len(keys)) as threads:
        found = list(threads.map(lambda key: client.get("/status", headers=key).json(), keys))
    who = [body["domains"]["keywords"]["running"][0]["who"] for body in found]
    assert who == ["", "ann"] * 20
    assert looks[0] < 10


def test_pages_of_other_origins_may_not_ask_unless_they_are_named(
    client: TestClient, tmp_path: Path
) -> None:
    assert "access-control-allow-origin" not in client.get("/health", headers=APP).headers
    replica = Replica("keywords", tmp_path)
    replica.settings = replace(replica.settings, cors_origins=(APP["origin"],))
    asks = {"access-control-request-method": "POST"}
    asks |= {"access-control-request-headers": "authorization,content-type"}
    with answering(replica) as named:
        allowed = named.options("/predict", headers=APP | asks)
        assert allowed.headers["access-control-allow-origin"] == APP["origin"]
        assert "authorization" in allowed.headers["access-control-allow-headers"]
        for files in ({"file": CLIP}, {"file": b"no clip"}):  # refusals can be read, too
            found = named.post("/predict", files=files, headers=APP)
            assert found.headers["access-control-allow-origin"] == APP["origin"]
        other = {"origin": "https://evil.example"}
        assert named.options("/predict", headers=other | asks).status_code == 400
        found = named.get("/health", headers=other)
        assert "access-control-allow-origin" not in found.headers


NASTY = [
    *(b"9" * 5000, b"-9223372036854775809", b"1e309", b"nan", b"0", b"", b" ", b"\0", b"\xff\xfe"),
    *(b"\xed\xa0\x80", b"\xf0\x9f\x90\x9f", b"../../etc/passwd", b"a" * 70_000, b"true", b"[]"),
    *(b"multipart/form-data; boundary=b; charset=idna", b'multipart/form-data; boundary="'),
    *(
        b'{"reason": "\\ud800"}',
        b'{"label": "\\u0000"}',
        b"[" * 50_000,
        b'{"label": ' + b"9" * 5000,
    ),
]
PATHS = [
    *("/predict", "/batch-predict", "/upload", "/feedback", "/feedback/{}", "/feedback/{}/reject"),
    *("/clips", "/clips/{}", "/clips/{}/content", "/clips/{}/relabel", "/retrain/{}", "/retrain"),
    *("/retrain/{}/events", "/models/{}/promote", "/status", "/ready", "/domains", "/docs", "/{}"),
]
ASKED = ["content-type", "x-deadline-seconds", "x-request-id", "accept", "last-event-id", "host"]


def test_no_mutated_request_ends_as_an_error_of_ours(client: TestClient) -> None:
    chance = random.Random(11)
    for _ in range(400):
        path = chance.choice(PATHS).replace("{}", quote(chance.choice(NASTY)[:2000]))
        asked = chance.choice(["top_k", "limit", "offset", "state", "label", "flagged", "evidence"])
        found = client.request(
            chance.choice(["GET", "POST", "POST", "DELETE", "PUT"]),
            chance.choice(["", "/api", "/keywords"]) + path,
            params=f"{asked}={quote(chance.choice(NASTY)[:9000])}" if chance.random() < 0.5 else "",
            headers=[
                (b"authorization", f"Bearer {ADMIN}".encode()),
                (chance.choice(ASKED).encode(), chance.choice(NASTY)[:9000].strip(b"\0")),
            ],
            content=chance.choice(NASTY),
        )
        assert found.status_code != 500, (path, found.request.headers)
        assert found.status_code < 400 or is_problem(found, found.status_code), (path, found.text)
