"""serve_app/api.py, errors.py: whatever anybody asks of the routes is answered in words."""

import csv
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from replica import ADMIN, Replica, answering
from sounds import tone
from starlette.testclient import TestClient

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


@pytest.mark.parametrize("top_k", ["9" * 5000, "1" * 20, "٣", "-1", "1e3", "NaN", "\0"])
def test_a_number_of_labels_that_is_none_is_refused(client: TestClient, top_k: str) -> None:
    found = client.post("/predict", params={"top_k": top_k}, files={"file": CLIP})
    assert is_problem(found, 400), found.text
    assert len(found.json()["detail"]) < 300


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


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("POST", "/status", "GET"), ("PUT", "/keywords/domains", "GET")],
)
def test_a_wrong_method_is_told_the_right_one(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    found = client.request(method, path)
    assert is_problem(found, 405)
    assert found.headers["allow"] == allowed


def test_every_documented_problem_is_a_problem_document(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    declared = [
        (path, method, status, sorted(response.get("content", {})))
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    ]
    assert len(declared) > 100
    assert [row for row in declared if row[3] != ["application/problem+json"]] == []


@pytest.mark.parametrize("name", ["=cmd()", "\t=cmd()", " =cmd()", "\tx", "\u00a0-1", "＋1", "@a"])
def test_a_name_that_a_spreadsheet_would_run_is_quoted(client: TestClient, name: str) -> None:
    disposition = f'Content-Disposition: form-data; name="files"; filename="{name}"'
    body = f"--b\r\n{disposition}\r\n\r\nx\r\n--b--\r\n".encode()
    kind = {"content-type": "multipart/form-data; boundary=b", "accept": "text/csv"}
    found = client.post("/batch-predict", content=body, headers=kind)
    (row,) = csv.DictReader(io.StringIO(found.text))
    assert row["file"] == f"'{name}"
