"""What somebody without a key or a browser gets from the page: answers about what he uploaded."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from gradio.queueing import Queue
from gradio.state_holder import StateHolder
from starlette.testclient import TestClient

from serve_app.settings import PASSED_HEADER
from serve_app.ui.app import build_page
from serve_app.ui.guard import MAX_FILES
from serve_app.ui.upload_room import FLOOR_BYTES
from support.fakes.fake_api import create
from support.fakes.fake_world import World
from support.inputs.pictures import cracked
from support.inputs.sounds import tone
from support.local_server import Server, below_ui

API = "/gradio_api"
FORBIDDEN: dict[str, Callable[[Path], object]] = {
    "clip": lambda path: path.write_bytes(tone(hz=123.0)),
    "photograph": lambda path: path.write_bytes(cracked(7)[0]),
    "drawing.svg": lambda path: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("/proc/self/environ"),
}
ELSEWHERE = (
    "/dev/zero",
    "/proc/self/environ",
    "http://127.0.0.1:1/a.wav",
    "https://[::1]/a.wav",
    "",
)


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page") / "uploads"


@pytest.fixture(scope="module")
def page(uploads: Path) -> Iterator[httpx.Client]:
    async def built(api: str) -> FastAPI:
        return build_page(api, uploads)  # outside of an event loop, Gradio leaves some of its own

    with (
        Server(create(World(step_s=0.1))) as api,
        Server(below_ui(asyncio.run(built(api)))) as at,
        httpx.Client(base_url=f"{at}/ui", timeout=20) as client,
    ):
        yield client


def file_data(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def events(page: httpx.Client) -> list[dict[str, Any]]:
    return [event for event in page.get("/config").json()["dependencies"] if event["backend_fn"]]


def dropping(page: httpx.Client) -> dict[str, Any]:
    """The event that answers about files: [domain, domains, key, turns], the files beside them."""
    config = page.get("/config").json()
    ids = {row["props"].get("elem_id"): row["id"] for row in config["components"]}
    return next(event for event in events(page) if [ids["drop"], "upload"] in event["targets"])


def joined(
    page: httpx.Client,
    event: dict[str, Any],
    data: list[Any],
    by: str = "/queue/join",
    files: tuple[str, ...] = (),
) -> httpx.Response:
    body = {"fn_index": event["id"], "data": data, "session_hash": "somebody"}
    given = [{"path": path, "name": "pump.wav"} for path in files]
    return page.post(f"{API}{by}", json=body | {"event_data": {"files": given}})


def dropped(page: httpx.Client, *paths: str) -> httpx.Response:
    return joined(page, dropping(page), [None, None, "", None], files=paths)


def told(page: httpx.Client) -> str:
    """All that the page says of the events of a session, until they have ended."""
    with page.stream("GET", f"{API}/queue/data", params={"session_hash": "somebody"}) as stream:
        lines = []
        for line in stream.iter_lines():
            lines.append(line)
            if "close_stream" in line:
                break
        return "".join(lines)


def upload(page: httpx.Client, name: str, raw: bytes) -> httpx.Response:
    return page.post(f"{API}/upload", files={"files": (name, raw)})


def test_a_file_that_was_uploaded_is_answered(page: httpx.Client) -> None:
    (path,) = upload(page, "pump.wav", tone()).raise_for_status().json()
    dropped(page, path).raise_for_status()
    assert "tt-label" in told(page)


def test_gradio_computes_no_statistics_after_each_event(
    page: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Any] = []
    monkeypatch.setattr(Queue, "_get_df", staticmethod(computed.append))
    (path,) = upload(page, "pump.wav", tone()).raise_for_status().json()
    dropped(page, path).raise_for_status()
    assert "tt-label" in told(page)
    assert not computed


def test_no_event_waits_for_matplotlib(page: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    turned: list[Any] = []
    monkeypatch.setattr("matplotlib.use", turned.append)
    (path,) = upload(page, "pump.wav", tone()).raise_for_status().json()
    dropped(page, path).raise_for_status()
    assert "tt-label" in told(page)
    assert not turned


def test_the_page_answers_what_haproxy_has_passed_on_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_START_TOKEN", "a secret")

    async def built() -> FastAPI:
        return build_page("http://127.0.0.1:9", tmp_path / "uploads")

    client = TestClient(asyncio.run(built()))
    for told in ({}, {PASSED_HEADER: "start another"}):
        found = client.get("/config", headers=told)
        assert (found.status_code, "TELLTALE_PORT" in found.text) == (403, True)
        assert (
            client.post(f"{API}/upload", files={"files": tone()}, headers=told).status_code == 403
        )
    assert client.get("/config", headers={PASSED_HEADER: "start a secret"}).status_code == 200


def test_sessions_that_anybody_may_begin_are_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.ui.app.MOST_SESSIONS", 3)
    held: list[Any] = []
    real = StateHolder.__getitem__

    def found(holder: StateHolder, session: str) -> Any:
        held.append(len(holder.session_data))
        return real(holder, session)

    monkeypatch.setattr(StateHolder, "__getitem__", found)

    async def built() -> FastAPI:
        return build_page("http://127.0.0.1:9", tmp_path / "uploads")

    client = TestClient(asyncio.run(built()))
    event = min(events(client), key=lambda event: len(event["inputs"]))  # type: ignore[arg-type]
    for number in range(12):
        body = {"fn_index": event["id"], "data": [None] * len(event["inputs"])}
        found_ = client.post(f"{API}/run/predict", json=body | {"session_hash": f"s{number}"})
        assert found_.status_code == 200
    assert 3 <= max(held) <= 4


@pytest.mark.parametrize("what", [*FORBIDDEN, *ELSEWHERE])
def test_no_event_reads_what_was_not_uploaded(
    page: httpx.Client, uploads: Path, tmp_path: Path, what: str
) -> None:
    path = str(tmp_path / what) if what in FORBIDDEN else what
    if what in FORBIDDEN:
        FORBIDDEN[what](Path(path))
    before = set(uploads.rglob("*"))
    assert dropped(page, path).status_code == 400
    for event in events(page):
        for place in range(len(event["inputs"])):
            data: list[Any] = [None] * len(event["inputs"])
            for hidden in (file_data(path), [file_data(path)], {"value": {"path": path}}):
                data[place] = hidden
                for by in ("/queue/join", "/run/predict"):
                    assert joined(page, event, data, by).status_code == 400, (event["id"], place)
    assert set(uploads.rglob("*")) == before


def test_an_uploaded_name_cannot_lead_out_of_the_folder(page: httpx.Client, uploads: Path) -> None:
    upload(page, "pump.wav", tone()).raise_for_status()
    path = f"{uploads}/../{uploads.name}/../../../../../../etc/passwd"
    answer = dropped(page, path)
    assert answer.status_code == 400
    assert "/etc" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/file=/etc/passwd"),
        ("GET", "/file=http://127.0.0.1:1/a.wav"),
        ("GET", "/file/http://127.0.0.1:1/a.wav"),
        ("GET", "/file//etc/passwd"),
        ("GET", "/proxy=http://127.0.0.1:1/a.wav"),
        ("POST", "/run/load_example"),
        ("POST", "/api/predict"),
        ("POST", "/call/predict"),
        ("POST", "/component_server"),
        ("POST", "/process_recording"),
        ("POST", "/vibe-edit/"),
        ("GET", "/dev/reload"),
        ("GET", "/runs"),
    ],
)
def test_what_the_page_does_not_use_is_not_there(
    page: httpx.Client, method: str, path: str
) -> None:
    answer = page.request(method, f"{API}{path}")
    assert answer.status_code == 404, answer.text


def test_an_uploaded_drawing_is_never_a_page_of_ours(page: httpx.Client) -> None:
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    (path,) = upload(page, "crack.svg", drawing).raise_for_status().json()
    dropped(page, path).raise_for_status()
    told(page)
    answer = page.get(f"{API}/file={path}")
    assert answer.headers["content-disposition"].startswith("attachment")


def several(client: httpx.Client, files: int) -> httpx.Response:
    form = [("files", (f"{number}.wav", b"x")) for number in range(files)]
    return client.post(f"{API}/upload", files=form)


@pytest.mark.parametrize("files", [1, 4])
def test_uploads_of_one_address_are_bounded_by_their_bytes_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    monkeypatch.setattr("serve_app.ui.upload_room.MOST_BYTES", 32 * FLOOR_BYTES)

    async def built() -> FastAPI:
        return build_page("http://127.0.0.1:9", tmp_path / "uploads")

    client = TestClient(asyncio.run(built()))
    answers = [several(client, files) for _ in range(9)]  # type: ignore[arg-type]
    assert [each.status_code for each in answers] == [200] * (8 // files) + [429] * (9 - 8 // files)
    assert "Retry-After" in answers[-1].headers


def test_one_upload_has_few_files(page: httpx.Client, uploads: Path) -> None:
    """Each lies in a folder of its own."""
    several(page, MAX_FILES).raise_for_status()
    before = set(uploads.rglob("*"))
    refused = several(page, MAX_FILES + 1)
    assert (refused.status_code, "at most 120 files" in refused.text) == (400, True)
    assert set(uploads.rglob("*")) == before


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"\xff", b'{"data": [' + b"1," * 600_000 + b"1]}"]
)
def test_a_body_that_no_page_sends_is_refused(page: httpx.Client, body: bytes) -> None:
    head = {"content-type": "application/json"}
    assert page.post(f"{API}/queue/join", content=body, headers=head).status_code in {400, 413}


@pytest.mark.parametrize("session", [{}, {"session_hash": ""}, {"session_hash": None}])
def test_an_event_of_no_session_is_refused(page: httpx.Client, session: dict[str, Any]) -> None:
    event = min(events(page), key=lambda event: len(event["inputs"]))
    body = {"fn_index": event["id"], "data": [None] * len(event["inputs"])} | session
    assert page.post(f"{API}/run/predict", json=body).status_code == 400
    assert page.post(f"{API}/run/predict", json=[]).status_code == 400


def test_one_event_names_few_files(page: httpx.Client) -> None:
    """Each is looked up on the disk, on the page's one event loop."""
    (path,) = upload(page, "pump.wav", tone()).raise_for_status().json()
    assert dropped(page, *[path] * (MAX_FILES + 1)).status_code == 400


def test_one_address_leaves_room_for_others(
    page: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.ui.guard.MAX_AT_ONCE", 2)
    with ExitStack() as stack:
        for name in ("one", "two"):  # as a browser does for as long as its page is open
            stack.enter_context(page.stream("GET", f"{API}/heartbeat/{name}"))
        assert page.get("/config").status_code == 429


def test_no_other_page_may_frame_this_one(page: httpx.Client) -> None:
    for path in ("/", "/nothing"):
        assert "frame-ancestors 'none'" in page.get(path).headers["content-security-policy"]
