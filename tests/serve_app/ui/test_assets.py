"""assets.py: a file is read and compressed once, and a browser need not ask for it again."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from serve_app.ui.assets import Assets


@pytest.fixture
def read() -> list[str]:
    return []


@pytest.fixture
def client(read: list[str]) -> TestClient:
    async def answer(request: Request) -> PlainTextResponse:
        read.append(request.url.path)
        accepted = request.headers.get("accept-encoding", "")
        return PlainTextResponse(accepted, 404 if "gone" in request.url.path else 200)

    return TestClient(Assets(Starlette(routes=[Route("/{path:path}", answer)])))


def test_a_file_is_read_once_for_each_encoding_and_kept_by_browsers(
    client: TestClient, read: list[str]
) -> None:
    for encoding in ("br, gzip", "gzip"):
        for _ in range(2):
            found = client.get("/assets/a.js", headers={"accept-encoding": encoding})
            assert found.text == encoding
            assert found.headers["content-length"] == str(len(encoding))
            assert "immutable" in found.headers["cache-control"]
    assert len(read) == 2
    assert "immutable" not in client.get("/theme.css").headers["cache-control"]


def test_the_page_itself_is_sent_compressed(client: TestClient) -> None:
    encodings = ", ".join(["gzip", *(f"x{n}" for n in range(500))])
    found = client.get("/", headers={"accept-encoding": encodings})
    assert found.headers["content-encoding"] == "gzip"
    assert found.text == encodings


@pytest.mark.parametrize("path", ["/assets/gone.js", "/config", "/"])
def test_what_is_not_there_or_changes_is_asked_for_each_time(
    path: str, client: TestClient, read: list[str]
) -> None:
    for _ in range(2):
        assert "cache-control" not in client.get(path).headers
    assert read == [path, path]
