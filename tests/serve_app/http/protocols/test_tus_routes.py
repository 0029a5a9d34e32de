"""tus_routes.py: a recording comes in parts, by the protocol's own rules, and is then analysed."""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from data.database.schema import now
from serve_app.http.api import build_api
from serve_app.http.protocols import tus_routes
from serve_app.http.requests.recordings import Recordings
from support.inputs.sounds import tone
from support.keys import key_of
from support.local_server import Server
from support.replica import Replica, answering
from support.waiting import wait_for

RAW = tone(500, seconds=12.0, rate_hz=8_000)
SPOKEN = {"tus-resumable": "1.0.0"}
PART = SPOKEN | {"content-type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


@pytest.fixture
def place(client: TestClient) -> Iterator[str]:
    """Of an upload that has just begun."""
    headers = SPOKEN | {"upload-length": str(len(RAW)), "upload-metadata": "filename bmlnaHQ="}
    begun = client.post("/keywords/uploads", headers=headers)
    assert begun.status_code == 201
    yield begun.headers["location"]
    client.delete(begun.headers["location"], headers=SPOKEN)


def send(client: TestClient, place: str, came: int, part: bytes, **headers: str) -> Response:
    return client.patch(place, content=part, headers=PART | {"upload-offset": str(came)} | headers)


def test_what_is_spoken_here_is_told(client: TestClient) -> None:
    told = client.options("/uploads")
    assert told.status_code == 204
    assert told.headers["tus-version"] == "1.0.0"
    assert told.headers["tus-extension"] == "creation,expiration,termination"
    assert int(told.headers["tus-max-size"]) == 2_000_000_000


def test_parts_are_analysed_as_one_recording(client: TestClient, place: str) -> None:
    assert place.startswith("/keywords/uploads/")
    looked = client.head(place, headers=SPOKEN)
    assert (looked.headers["upload-offset"], looked.headers["cache-control"]) == ("0", "no-store")
    assert looked.headers["upload-metadata"] == "filename bmlnaHQ="
    assert parsedate_to_datetime(looked.headers["upload-expires"]) > now()
    upload = place.rpartition("/")[2]
    assert send(client, place, 0, RAW[:70_000]).headers["upload-offset"] == "70000"
    early = client.post(f"/analyze?upload={upload}")
    assert (early.status_code, "send the others first" in early.json()["detail"]) == (409, True)
    whole = send(client, place, 70_000, RAW[70_000:])
    assert (whole.status_code, whole.headers["tus-resumable"]) == (204, "1.0.0")
    assert client.head(place, headers=SPOKEN).headers["upload-offset"] == str(len(RAW))
    found = client.post(f"/analyze?upload={upload}")
    assert found.json() == client.post("/analyze", content=RAW).json()


def test_an_order_for_an_upload_may_be_repeated(client: TestClient, place: str) -> None:
    send(client, place, 0, RAW)
    order = f"/keywords/analyze?upload={place.rpartition('/')[2]}"
    jobs = {
        client.post(order, headers={"prefer": "respond-async"}).headers["location"]
        for _ in range(3)
    }
    assert jobs == {place.replace("uploads", "jobs")}


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"upload-offset": "1"}, 409, "0 bytes have come; go on there, not at 1"),
        ({"upload-offset": "-1"}, 400, "upload-offset must be a number of bytes, got '-1'"),
        ({"content-type": "audio/wav"}, 415, "a part comes as application/offset+octet-stream"),
        ({"tus-resumable": "0.2.2"}, 412, "must say 1.0.0"),
        ({"content-encoding": "gzip"}, 415, "'gzip'"),
        ({"content-length": "9" * 12}, 413, "at most"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(
    client: TestClient, place: str, headers: dict[str, str], status: int, words: str
) -> None:
    refused = send(client, place, 0, RAW[:100], **headers)
    assert refused.status_code == status, refused.text
    assert words in refused.json()["detail"]
    assert refused.headers["tus-resumable"] == "1.0.0"
    assert client.head(place, headers=SPOKEN).headers["upload-offset"] == "0"


@pytest.mark.parametrize(
    ("length", "status", "words"),
    [
        ("", 400, "upload-length must be a number"),
        ("0", 400, "at least 1"),
        ("9" * 12, 413, "at most 2,000,000,000 are accepted"),
    ],
)
def test_a_recording_of_no_known_size_is_refused(
    client: TestClient, length: str, status: int, words: str
) -> None:
    refused = client.post("/uploads", headers=SPOKEN | {"upload-length": length})
    assert refused.status_code == status
    assert words in refused.json()["detail"]


def test_what_is_no_sound_is_refused_by_its_first_part(client: TestClient, place: str) -> None:
    refused = send(client, place, 0, b"%PDF-1.7" + bytes(100))
    assert (refused.status_code, "a PDF document" in refused.json()["detail"]) == (415, True)
    assert client.head(place, headers=SPOKEN).status_code == 404


def test_a_caller_has_few_and_may_forget_them(client: TestClient) -> None:
    begin = SPOKEN | {"upload-length": "9"}
    begun = [client.post("/uploads", headers=begin) for _ in range(5)]
    assert [each.status_code for each in begun] == [201] * 4 + [429]
    for each in begun[:4]:
        forgotten = client.delete(each.headers["location"], headers=SPOKEN)
        assert forgotten.status_code == 204
        assert client.head(each.headers["location"], headers=SPOKEN).status_code == 404


def test_what_a_killed_client_has_left_is_listed_and_forgotten(
    client: TestClient, replica: Replica
) -> None:
    begin = SPOKEN | {"upload-length": "9", "upload-metadata": "filename bmlnaHQ="}
    client.post("/uploads", headers=begin)
    assert client.get("/uploads").status_code == 401  # others may ask from the same address
    of_ann = {"authorization": f"Bearer {key_of(replica.store, 'ann', 'contributor')}"}
    mine = client.post("/uploads", headers=begin | of_ann).headers["location"]
    (found,) = client.get("/uploads", headers=of_ann).json()["uploads"]
    assert (found["id"], found["came"], found["length"]) == (mine.rpartition("/")[2], 0, 9)
    assert found["note"] == "filename bmlnaHQ="
    client.delete(mine, headers=SPOKEN | of_ann)
    assert client.get("/uploads", headers=of_ann).json()["uploads"] == []


def test_a_client_behind_a_narrow_proxy_posts(client: TestClient, place: str) -> None:
    method = {"x-http-method-override": "PATCH", "upload-offset": "0"}
    sent = client.post(place, content=RAW[:100], headers=PART | method)
    assert (sent.status_code, sent.headers["upload-offset"]) == (204, "100")


@contextmanager
def sending(url: str, upload_id: str, first: bytes) -> Iterator[socket.socket]:
    """A part whose head says that all of the recording comes; only its first bytes are sent."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        head = [
            f"PATCH /uploads/{upload_id} HTTP/1.1",
            f"Host: {host}",
            f"Content-Length: {len(RAW)}",
            "Upload-Offset: 0",
            *(f"{name}: {value}" for name, value in PART.items()),
        ]
        line.sendall("\r\n".join([*head, "", ""]).encode() + first)
        yield line


def test_a_part_that_breaks_off_counts_as_far_as_it_came(replica: Replica) -> None:
    door: Any = build_api(replica)  # type: ignore[arg-type]
    arriving: Recordings = door._app._app.state.arriving
    with Server(door) as url:
        upload = replica.store.uploads.begin("keywords", len(RAW), who="ann")
        with sending(url, upload.id, RAW[:50_000]):
            wait_for(lambda: arriving.anonymous.total, 20)
            time.sleep(0.1)  # for the bytes themselves
        wait_for(lambda: replica.store.uploads.get(upload.id).came == 50_000, 20)
        replica.store.uploads.delete(upload.id)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tus_routes, "PIECE_BYTES", 10_000)
    monkeypatch.setattr(tus_routes, "PART_BYTES", 50_000)


def test_a_large_part_is_stored_while_it_comes(replica: Replica, small_parts: None) -> None:
    """A temporary file of all that one request may send could be gigabytes."""
    with Server(build_api(replica)) as url:  # type: ignore[arg-type]
        upload = replica.store.uploads.begin("keywords", len(RAW), who="ann")
        with sending(url, upload.id, RAW[:150_000]) as line:
            wait_for(lambda: replica.store.uploads.get(upload.id).came >= 100_000, 20)
            line.sendall(RAW[150_000:])
            assert line.recv(4_000).startswith(b"HTTP/1.1 204 ")
        whole = io.BytesIO()
        replica.store.uploads.copy_to(upload.id, whole)
        assert whole.getvalue() == RAW
        replica.store.uploads.delete(upload.id)


def test_of_two_that_send_the_same_part_one_is_ended_early(
    replica: Replica, small_parts: None
) -> None:
    with Server(build_api(replica)) as url:  # type: ignore[arg-type]
        upload = replica.store.uploads.begin("keywords", len(RAW), who="ann")
        with sending(url, upload.id, RAW[:10]) as slow, sending(url, upload.id, RAW[:80_000]):
            wait_for(lambda: replica.store.uploads.get(upload.id).came, 20)
            slow.sendall(RAW[10:80_000])
            refused = slow.recv(4_000)
            assert refused.startswith(b"HTTP/1.1 409 ")
            assert b"go on there, not at 0" in refused
        replica.store.uploads.delete(upload.id)


def test_those_without_a_key_leave_places_to_those_with_one(
    client: TestClient, replica: Replica, place: str
) -> None:
    arriving: Recordings = client.app._app._app.state.arriving  # type: ignore[attr-defined]
    of_bea = {"authorization": f"Bearer {key_of(replica.store, 'bea', 'contributor')}"}
    arriving.anonymous.take("10.0.0.1", 8)
    try:
        assert send(client, place, 0, RAW[:100]).status_code == 429
        assert send(client, place, 0, RAW[:100], **of_bea).status_code == 204
    finally:
        arriving.anonymous.give_back("10.0.0.1", 8)


def test_a_stock_client_goes_on_where_it_was(replica: Replica) -> None:
    tusclient = pytest.importorskip("tusclient.client")
    door: Any = build_api(replica)  # type: ignore[arg-type]
    with Server(door) as url:
        client, file = tusclient.TusClient(f"{url}/keywords/uploads"), io.BytesIO(RAW)
        named = {"filename": "night.wav"}
        sender = client.uploader(file_stream=file, chunk_size=50_000, metadata=named)
        sender.upload_chunk()
        again = client.uploader(file_stream=file, chunk_size=50_000, url=sender.url)
        assert again.get_offset() == 50_000
        again.upload()
    upload = replica.store.uploads.get(sender.url.rpartition("/")[2])
    assert upload.is_whole
    replica.store.uploads.delete(upload.id)
