"""job_routes.py: a recording that is analysed behind the answer, and what is found at last."""

import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from data.errors import DecoderKilled, DiskFull, NotReady
from data.store.analysis_jobs import Job
from data.store.disk import Disk
from data.store.resumable_uploads import Uploads
from models.analysis.sliding_windows import Analysis
from serve_app.http import job_runner, recording_analysis
from serve_app.replica.admission import Admission
from support.inputs.sounds import tone
from support.replica import Replica, answering
from support.waiting import wait_for

LOW = "threshold=zero:0.01&threshold=eight:0.01&min_length_s=0"
RAW = tone(500, seconds=12.0, rate_hz=8_000)
TUS = {"tus-resumable": "1.0.0"}
DEFERRED = {"prefer": "respond-async, wait=5"}


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        replica = Replica("keywords", Path(home))
        patch.setattr(replica.served.model, "why_unknown", lambda *_: None)
        yield replica
        replica.store.close()


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Analyses stop behind a slice until it is set."""
    monkeypatch.setattr(job_runner, "BEAT_S", 0.02)
    monkeypatch.setattr(recording_analysis, "STEPPED_ASIDE_S", 60.0)
    go_on = threading.Event()
    monkeypatch.setattr(Admission, "busy", property(lambda _: not go_on.is_set()))
    yield go_on
    go_on.set()


def ordered(client: TestClient, raw: bytes = RAW, query: str = LOW) -> Response:
    return client.post(f"/keywords/analyze?{query}", content=raw, headers=DEFERRED)


def ended(client: TestClient, job: str) -> dict[str, Any]:
    def look() -> bool:
        found.update(client.get(job).json())
        return found["state"] not in ("queued", "running")

    found: dict[str, Any] = {}
    wait_for(look, 30)
    return found


def test_what_is_found_is_what_the_answer_would_be(client: TestClient, replica: Replica) -> None:
    answer = ordered(client)
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    location = answer.headers["location"]
    assert location == f"/keywords/jobs/{answer.json()['id']}"
    found = ended(client, location)
    assert (found["state"], found["heard_s"], found["done"]) == ("succeeded", 12.0, 1.0)
    at_once = client.post(f"/analyze?{LOW}", content=RAW)
    assert found["result"] == at_once.json()
    assert found["result"]["events"]
    for name in ("csv", "raven", "audacity"):
        table = client.get(f"{location}?format={name}")
        assert table.text == client.post(f"/analyze?{LOW}&format={name}", content=RAW).text
        assert table.headers["x-model-version"] == replica.served.version
    assert not list(replica.settings.home.root.rglob("parts/*")), "the recording is not kept"


def test_who_looks_too_early_is_told_how_far_it_is(
    client: TestClient, held: threading.Event
) -> None:
    location = ordered(client).headers["location"]
    wait_for(lambda: client.get(location).json()["done"], 20)
    early = client.get(f"{location}?format=csv")
    assert (early.status_code, early.headers["retry-after"]) == (202, "1")
    assert early.json()["state"] == "running"
    assert 0 < early.json()["heard_s"] <= 12
    held.set()
    assert ended(client, location)["state"] == "succeeded"


def test_a_job_that_is_cancelled_ends_and_leaves_nothing(
    client: TestClient, replica: Replica, held: threading.Event
) -> None:
    location = ordered(client).headers["location"]
    wait_for(lambda: client.get(location).json()["state"] == "running", 20)
    assert client.delete(location).json()["state"] == "cancelled"
    held.set()
    assert client.get(location).json()["state"] == "cancelled"
    table = client.get(f"{location}?format=csv")
    assert (table.status_code, "was cancelled" in table.json()["detail"]) == (409, True)
    assert not list(replica.settings.home.root.rglob("parts/*"))
    assert ended(client, ordered(client).headers["location"])["state"] == "succeeded"


def test_a_replica_goes_on_where_another_ended(
    client: TestClient, replica: Replica, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_runner, "KEEP_S", 0.0)
    location = ordered(client).headers["location"]
    job_id = location.rpartition("/")[2]
    wait_for(lambda: replica.store.jobs.get(job_id).digest is not None, 20)
    while replica.store.jobs.get(job_id).state == "running":  # it may count on meanwhile
        (seen,) = replica.store.jobs.unfinished()
        replica.store.jobs.release(seen)
    known, take_over = [], Analysis._take_over

    def counted(analysis: Analysis, raw: bytes) -> None:
        known.append(len(raw))
        take_over(analysis, raw)

    monkeypatch.setattr(Analysis, "_take_over", counted)
    held.set()
    client.portal.call(lambda: replica.jobs.look())  # type: ignore[union-attr]
    found = ended(client, location)
    assert found["state"] == "succeeded"
    assert found["result"] == client.post(f"/analyze?{LOW}", content=RAW).json()
    assert [size > 0 for size in known] == [True]


def test_what_is_wrong_with_a_recording_is_told_by_its_job(client: TestClient) -> None:
    location = ordered(client, b"OggS" + bytes(5_000)).headers["location"]
    found = ended(client, location)
    assert (found["state"], found["problem"]["status"]) == ("failed", 422)
    table = client.get(location, headers={"accept": "text/csv"})
    assert (table.status_code, table.json()) == (422, found["problem"])


@pytest.mark.parametrize(
    ("query", "raw", "status", "words"),
    [
        ("hop_s=0", RAW, 400, "hop_s must be from"),
        ("", b"%PDF-1.7" + bytes(99), 415, "a PDF document"),
        ("upload=nothing", b"", 404, "there is no upload 'nothing'"),
    ],
)
def test_what_can_be_known_at_once_is_refused_at_once(
    client: TestClient, query: str, raw: bytes, status: int, words: str
) -> None:
    refused = ordered(client, raw, query)
    assert refused.status_code == status, refused.text
    assert words in refused.json()["detail"]


def looked_again(client: TestClient, replica: Replica, job_id: str) -> Job:
    client.portal.call(lambda: replica.jobs.look())  # type: ignore[union-attr]
    return replica.store.jobs.get(job_id)


def test_a_recording_without_room_on_the_disk_waits_for_it(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(job_runner, "fullest", lambda _: Disk(100, 7))
        job_id = ordered(client).json()["id"]
        wait_for(lambda: looked_again(client, replica, job_id).beat > 1, 20)
        sent = client.post("/uploads", headers={**TUS, "upload-length": str(len(RAW))})
        part = {**TUS, "upload-offset": "0", "content-type": "application/offset+octet-stream"}
        client.patch(sent.headers["location"], content=RAW, headers=part).raise_for_status()
        upload = sent.headers["location"].rpartition("/")[2]
        at_once = client.post(f"/analyze?upload={upload}")
        assert (at_once.status_code, "disk is nearly full" in at_once.text) == (503, True)
    wait_for(lambda: looked_again(client, replica, job_id).state == "succeeded", 20)
    client.delete(sent.headers["location"], headers=TUS).raise_for_status()


def test_a_recording_whose_job_cannot_be_written_is_not_kept(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise DiskFull

    monkeypatch.setattr(type(replica.store.jobs), "add", full)
    before = replica.store.uploads.of("keywords", "testclient")
    assert ordered(client).status_code == 503
    assert replica.store.uploads.of("keywords", "testclient") == before


def test_a_recording_is_kept_where_its_job_may_have_been_written(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, written = type(replica.store.jobs).add, list[Job]()

    def unacknowledged(jobs: Any, new: Job) -> Job:
        written.append(add(jobs, new))
        raise NotReady("the database went away")

    monkeypatch.setattr(type(replica.store.jobs), "add", unacknowledged)
    assert ordered(client).status_code == 503
    assert replica.store.uploads.get(written[0].id).is_whole
    client.delete(f"/jobs/{written[0].id}").raise_for_status()


def test_a_store_that_is_away_leaves_the_job_to_another(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise NotReady("the store of clips does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(type(replica.store.uploads), "copy_to", away)
        job_id = ordered(client).json()["id"]
        wait_for(lambda: looked_again(client, replica, job_id).beat > 5, 20)  # no more are tried
    assert replica.store.jobs.get(job_id).state in ("queued", "running")
    wait_for(lambda: looked_again(client, replica, job_id).state == "succeeded", 20)


def test_a_recording_that_waits_keeps_no_other(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_room(uploads: Uploads, upload_id: str, file: BinaryIO) -> None:
        if upload_id == waits[0]:
            raise NotReady("the disk is nearly full")
        copy_to(uploads, upload_id, file)

    waits, copy_to = [""], Uploads.copy_to
    with monkeypatch.context() as patch:
        patch.setattr(replica.jobs, "look", lambda: None)
        waits[0], other = (ordered(client).json()["id"] for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr(Uploads, "copy_to", without_room)
        wait_for(lambda: looked_again(client, replica, other).state == "succeeded", 20)
        assert replica.store.jobs.get(waits[0]).state in ("queued", "running")
    wait_for(lambda: looked_again(client, replica, waits[0]).state == "succeeded", 20)


def test_a_recording_whose_decoder_the_system_ends_is_given_up(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise DecoderKilled("the system ended what was decoding the clip")

    monkeypatch.setattr(type(replica.store.uploads), "copy_to", killed)
    job_id = ordered(client).json()["id"]
    wait_for(lambda: looked_again(client, replica, job_id).state == "failed", 20)


def test_a_mistake_of_ours_is_logged_with_the_request_that_its_problem_names(
    client: TestClient,
    replica: Replica,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(job_runner.log, "propagate", True)
    monkeypatch.setattr(type(replica.store.uploads), "copy_to", mistaken)
    headers = {**DEFERRED, "x-request-id": "r-7"}
    order = client.post(f"/keywords/analyze?{LOW}", content=RAW, headers=headers)
    problem = ended(client, order.headers["location"])["problem"]
    assert (problem["status"], problem["request_id"]) == (500, "r-7")
    assert f"job {order.json()['id']} of request r-7 failed" in caplog.messages


def test_nobody_finds_a_job_by_a_guess(client: TestClient) -> None:
    assert client.get("/jobs/1").status_code == 404
    assert client.delete("/jobs/1").status_code == 404
