"""A request's body is read within its limits and the clip found in it, byte for byte."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from data.errors import TooSlow
from serve_app.http import problems
from serve_app.http.bodies import lone_file, parse_multipart, read_clip
from serve_app.http.responses import answer

LIMIT = 10_000


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)

    @app.post("/clip")
    async def clip(request: Request) -> object:
        raw = await read_clip(request, LIMIT)
        return answer({"bytes": raw.hex()})

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize("raw", [b"", b"\r\n--", b"RIFF" + bytes(range(256)) * 30])
def test_a_form_and_a_raw_body_give_the_same_bytes(client: TestClient, raw: bytes) -> None:
    form = client.post("/clip", files={"file": ("a.wav", raw)})
    body = client.post("/clip", content=raw, headers={"content-type": "audio/wav"})
    assert form.json() == body.json() == {"bytes": raw.hex()}


def test_other_parts_of_the_form_do_not_disturb(client: TestClient) -> None:
    found = client.post("/clip", data={"note": "x" * 100}, files={"file": ("a", b"clip")})
    assert found.json() == {"bytes": b"clip".hex()}


@pytest.mark.parametrize("content_type", ["audio/wav", "multipart/form-data; boundary=b"])
def test_too_many_bytes_are_refused_by_their_announcement(
    client: TestClient, content_type: str
) -> None:
    found = client.post(
        "/clip",
        content=b"",
        headers={"content-type": content_type, "content-length": "99999999"},
    )
    assert found.status_code == 413
    assert "99,999,999" in found.json()["detail"]


def test_too_many_bytes_are_refused_while_they_arrive() -> None:
    sent = 0

    async def receive() -> dict[str, object]:
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b"x" * 4_000, "more_body": True}

    async def read() -> None:
        scope = {"type": "http", "headers": [(b"content-type", b"audio/wav")]}
        await read_clip(Request(scope, receive), LIMIT)

    with pytest.raises(Exception, match="at most 10,000"):
        _run(read())
    assert sent == 3


def test_a_clip_whose_bytes_do_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.http.bodies.PATIENCE_S", 0.02)
    sent: list[int] = []

    async def receive() -> dict[str, object]:
        if sent:
            await asyncio.sleep(10)
        sent.append(1)
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def read() -> None:
        scope = {"type": "http", "headers": [(b"content-type", b"audio/wav")]}
        await read_clip(Request(scope, receive), LIMIT)

    with pytest.raises(TooSlow, match="100 bytes came"):
        _run(read())


def test_a_small_file_in_a_long_form_is_refused_by_the_file_limit(client: TestClient) -> None:
    found = client.post("/clip", files={"file": ("a.wav", b"x" * (LIMIT + 1))})
    assert found.status_code == 413


@pytest.mark.parametrize(
    ("content_type", "body", "status", "words"),
    [
        ("application/json", b"{}", 415, "multipart/form-data"),
        ("text/plain", b"hello", 415, "audio/*"),
        ("multipart/form-data", b"", 400, "boundary"),
        ("multipart/form-data; boundary=b", b"no boundary here", 400, "form"),
        ("multipart/form-data; boundary=b", b"--b\r\n", 400, "file"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\ncut off',
            400,
            "file",
        ),
    ],
)
def test_a_request_without_a_clip_says_how_to_send_one(
    client: TestClient, content_type: str, body: bytes, status: int, words: str
) -> None:
    found = client.post("/clip", content=body, headers={"content-type": content_type})
    assert found.status_code == status
    assert found.headers["content-type"] == "application/problem+json"
    assert words in found.json()["detail"]


def test_names_of_parts_and_files_survive() -> None:
    request = httpx.Request(
        "POST", "http://x", data={"label": "fluid"}, files={"file": ("Blå fisk.wav", b"1")}
    )
    parts = parse_multipart(request.headers["content-type"], request.read())
    assert {part.name: part.filename for part in parts} == {"label": None, "file": "Blå fisk.wav"}
    assert [part.text for part in parts if part.name == "label"] == ["fluid"]


PART = b'Content-Disposition: form-data; name="file"; filename="a.wav"'


@pytest.mark.parametrize(
    ("form", "clip"),
    [
        (b"--b\r\n%s\r\n\r\nclip\r\n--b--\r\n", b"clip"),
        (b"--b\r\n%s\r\nContent-Type: audio/wav\r\n\r\nclip\r\n--b--", b"clip"),
        (b"--b\r\n%s\r\n\r\n\r\n--b--\r\n", b""),
        (b"--b\r\n%s\r\n\r\n--b\r\n\r\n\r\n\r\n--b--\r\n", b"--b\r\n\r\n\r\n"),
    ],
)
def test_a_form_with_nothing_but_the_file_takes_the_short_way(form: bytes, clip: bytes) -> None:
    body = form % PART
    assert lone_file("multipart/form-data; boundary=b", body) == clip
    assert [part.body for part in parse_multipart("multipart/form-data; boundary=b", body)] == [
        clip
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\n%s\r\n\r\nclip\r\n--b\r\n%s\r\n\r\nsecond\r\n--b--\r\n" % (PART, PART),
        b"--b\r\n%s\r\nContent-Transfer-Encoding: base64\r\n\r\nclip\r\n--b--\r\n" % PART,
        b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nclip\r\n--b--\r\n',
        b"--b\r\n%s\r\n\r\nclip" % PART,
        b"--b\r\n%s" % PART,
        b"--bb\r\n%s\r\n\r\nclip\r\n--bb--\r\n" % PART,
        b"preamble\r\n--b\r\n%s\r\n\r\nclip\r\n--b--\r\n" % PART,
        b"",
    ],
)
def test_any_other_form_is_left_to_the_parser(body: bytes) -> None:
    assert lone_file("multipart/form-data; boundary=b", body) is None


def _run(coroutine: object) -> None:
    asyncio.run(coroutine)  # type: ignore[arg-type]
