"""A request's body is read within its limits and the clip found in it, byte for byte."""

import asyncio
import gzip
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from data.errors import TooSlow
from serve_app.http import problems
from serve_app.http.answers.responses import answer
from serve_app.http.requests.bodies import ONE_FILE, lone_file, parse_multipart, read_clip
from serve_app.http.requests.multipart import PartRule

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


@pytest.mark.parametrize(
    "kind",
    [
        *("application/ogg", "Application/Ogg; codecs=opus", "application/mp4", "audio/wav"),
        *("binary/octet-stream", "application/octet-stream;charset=binary", "video/mp4", ""),
        "application/x-www-form-urlencoded",  # as curl says it of any file
    ],
)
def test_a_raw_body_is_a_clip_whatever_its_sender_calls_it(client: TestClient, kind: str) -> None:
    found = client.post("/clip", content=b"clip", headers={"content-type": kind})
    assert found.json() == {"bytes": b"clip".hex()}


@pytest.mark.parametrize("kind", ["audio/wav", "multipart/form-data; boundary=b"])
def test_a_body_that_is_compressed_as_a_whole_is_refused_by_that(
    client: TestClient, kind: str
) -> None:
    headers = {"content-type": kind, "content-encoding": "gzip"}
    found = client.post("/clip", content=gzip.compress(b"clip"), headers=headers)
    assert (found.status_code, "Content-Encoding 'gzip'" in found.json()["detail"]) == (415, True)


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
    monkeypatch.setattr("serve_app.http.requests.bodies.PATIENCE_S", 0.02)
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
            "cut off within a part",
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


def test_each_part_has_its_name() -> None:
    request = httpx.Request(
        "POST", "http://x", data={"label": "fluid"}, files={"file": ("Blå fisk.wav", b"1")}
    )
    rules = {**ONE_FILE, "label": PartRule(is_file=False)}
    parts = parse_multipart(request.headers["content-type"], request.read(), rules)
    assert {part.name: part.text for part in parts} == {"label": "fluid", "file": "1"}


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
    (part,) = parse_multipart("multipart/form-data; boundary=b", body, ONE_FILE)
    assert part.body == clip


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\n%s\r\n\r\nclip\r\n--b\r\n%s\r\n\r\nsecond\r\n--b--\r\n" % (PART, PART),
        b"--b\r\n%s\r\nContent-Transfer-Encoding: base64\r\n\r\nclip\r\n--b--\r\n" % PART,
        b'--b\r\nContent-Disposition: form-data; name="files"\r\n\r\nclip\r\n--b--\r\n',
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nclip\r\n--b--\r\n',
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
