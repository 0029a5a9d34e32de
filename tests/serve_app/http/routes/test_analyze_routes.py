"""analyze_routes.py: a recording of any length is answered by its events, in every form."""

import json
import math
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from data.arrays import Floats
from data.errors import UndecodableClip
from serve_app.http.api import build_api
from serve_app.http.requests.recordings import Recordings
from support.inputs.pictures import cracked
from support.inputs.recordings import by_sndfile
from support.inputs.sounds import tone, wav
from support.keys import key_of
from support.local_server import Server
from support.replica import Replica, answering
from support.waiting import wait_for

# Nothing is spoken, but with such thresholds whatever is nearest to a tone is an event.
LOW = "threshold=zero:0.2&threshold=one:0.2&threshold=three:0.2&threshold=eight:0.2&min_length_s=0"
SECONDS = 12


def recording() -> bytes:
    rng = np.random.default_rng(0)
    rate_hz = 8_000
    moments = np.arange(SECONDS * rate_hz) / rate_hz
    hz = np.repeat(rng.uniform(200, 2_000, SECONDS), rate_hz)
    return wav((0.3 * np.sin(2 * np.pi * hz * moments)).astype(np.float32), rate_hz)


RAW = recording()


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        replica = Replica("keywords", Path(home))
        patch.setattr(replica.served.model, "why_unknown", lambda *_: None)
        yield replica


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


def ask(client: TestClient, query: str = LOW, **asked: Any) -> Response:
    return client.post(f"/analyze?{query}", **(asked or {"content": RAW}))


def test_a_form_and_a_raw_body_are_answered_alike(client: TestClient) -> None:
    raw, form = ask(client).json(), ask(client, files={"file": RAW}).json()
    assert raw == form
    assert raw["recording"] == {
        "container": "WAV",
        "duration_s": SECONDS,
        "sample_rate_hz": 8_000,
        "windows": math.ceil((SECONDS - 1.28) / 0.256) + 1,
        "warnings": [],
    }
    assert raw["events"]
    assert sum(raw["labels"].values()) == len(raw["events"])
    assert all(0 <= each["start_s"] < each["end_s"] <= SECONDS for each in raw["events"])


def test_an_address_with_very_many_names_holds_nobody_up(client: TestClient) -> None:
    """Nor does a job keep them."""
    for names in ([f"{number:x}" for number in range(10_000)], ["threshold=zero:0.5"] * 3_000):
        begun = time.perf_counter()
        found = client.post("/analyze?" + "&".join(names), content=RAW)
        assert (found.status_code, "over 20,000" in found.text) == (400, True)
        assert time.perf_counter() - begun < 1


def test_of_very_many_events_the_surest_are_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = ask(client).json()["events"]
    monkeypatch.setattr("serve_app.http.recording_analysis.MOST_EVENTS", 3)
    for query in (LOW, f"{LOW}&top_n=100"):
        told = ask(client, query).json()
        by_confidence = sorted(everything, key=lambda event: -event["confidence"])
        assert sorted(told["events"], key=lambda event: -event["confidence"]) == by_confidence[:3]
        assert told["recording"]["warnings"] == [
            "only the 3 surest events are told; ask with higher thresholds"
        ]


@pytest.mark.parametrize(
    ("kind", "format_", "begins"),
    [
        ("text/csv", "csv", "label,start_s,end_s,confidence,peak_s\n"),
        ("text/tab-separated-values", "raven", "Selection\tView\tChannel\tBegin Time (s)\t"),
        ("text/plain", "audacity", ""),
    ],
)
def test_events_come_as_tables(client: TestClient, kind: str, format_: str, begins: str) -> None:
    by_name = ask(client, f"{LOW}&format={format_}")
    by_header = ask(client, content=RAW, headers={"accept": kind})
    assert by_name.text == by_header.text
    assert by_name.headers["content-type"].startswith(kind)
    assert by_name.text.startswith(begins)
    rows = len(by_name.text.splitlines()) - bool(begins)
    assert rows == len(ask(client).json()["events"])


def test_who_takes_json_gets_it(client: TestClient) -> None:
    accepts = {"accept": "application/json, text/plain, */*"}
    assert ask(client, content=RAW, headers=accepts).json() == ask(client).json()


def told(answer: Response) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block.splitlines() for block in answer.text.strip().split("\n\n")]
    return [(kind.removeprefix("event: "), json.loads(data[6:])) for kind, data in blocks]


def test_progress_is_told_and_then_the_same_answer(client: TestClient) -> None:
    events = told(ask(client, content=RAW, headers={"accept": "text/event-stream"}))
    assert {kind for kind, _ in events[:-1]} == {"progress"}
    assert events[-1][0] == "result"
    assert 0 < events[0][1]["done"] <= 1
    assert events[-1][1] == ask(client).json()


def test_who_has_his_answer_may_send_the_next(client: TestClient) -> None:
    recordings: Recordings = client.app._app._app.state.recordings  # type: ignore[attr-defined]
    stream = {"accept": "text/event-stream"}
    with client.stream("POST", f"/analyze?{LOW}", content=RAW, headers=stream) as answer:
        for line in answer.iter_lines():
            if line == "event: result":
                assert recordings.anonymous.total == 0


def test_what_goes_wrong_on_the_way_is_told(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise UndecodableClip("this part is no sound")

    monkeypatch.setattr(replica.served.model, "embed", damaged)
    events = told(ask(client, content=RAW, headers={"accept": "text/event-stream"}))
    assert [kind for kind, _ in events] == ["failed"]
    assert (events[0][1]["status"], events[0][1]["detail"]) == (422, "this part is no sound")


def test_a_recording_longer_than_any_clip_is_taken(client: TestClient, replica: Replica) -> None:
    minutes = wav(np.tile(np.frombuffer(tone(500), "<i2", offset=44) / 32768, 70), 8_000)
    assert len(minutes) / 16_000 > replica.domain.limits.max_duration_s  # type: ignore[attr-defined]
    assert ask(client, "hop_s=1", content=minutes).json()["recording"]["duration_s"] == 140


@pytest.mark.parametrize(
    ("query", "asked", "status", "words"),
    [
        ("hop_s=0", {}, 400, "hop_s must be from 0.064 to 1.28"),
        ("threshold=bird:0.5", {}, 404, "no label 'bird'"),
        ("threshold=0.7", {}, 400, "label:probability"),
        ("threshold=zero:0.5,one:0.5", {}, 400, "once for each label"),
        ("evidence=true", {}, 400, "no parameter 'evidence'"),
        ("format=xls", {}, 400, "format must be one of json, csv, raven"),
        ("", {"content": b"%PDF-1.7"}, 415, "a PDF document"),
        ("", {"content": RAW[:40]}, 422, "WAV"),
        ("", {"files": {"clip": RAW}}, 400, "'clip', which is not known"),
        ("", {"files": {"file": RAW}, "data": {"hop_s": "1"}}, 400, "'hop_s', which"),
        ("", {"files": [("file", RAW), ("file", RAW)]}, 400, "two parts 'file'"),
        ("", {"content": RAW, "headers": {"content-encoding": "gzip"}}, 415, "'gzip'"),
        ("", {"content": RAW, "headers": {"content-type": "text/plain"}}, 415, "'text/plain'"),
        ("", {"content": RAW, "headers": {"content-length": "9" * 12}}, 413, "at most"),
    ],
)
def test_a_refusal_says_what_is_wrong(
    client: TestClient, query: str, asked: dict[str, Any], status: int, words: str
) -> None:
    refused = ask(client, query, **asked)
    assert refused.status_code == status, refused.text
    assert words in refused.json()["detail"]


def test_a_domain_of_photographs_has_no_recordings(tmp_path: Path) -> None:
    with answering(Replica("cracks", tmp_path)) as client:
        refused = ask(client, "", content=cracked(1)[0])
    assert refused.status_code == 400
    assert "cracks is about photographs" in refused.json()["detail"]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_who_has_gone_is_not_worked_for(
    replica: Replica, accept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the hour would take two minutes and more."""
    embed = replica.served.model.embed

    def slowly(features: Floats) -> tuple[Floats, Floats]:
        time.sleep(0.015)
        return embed(features)

    monkeypatch.setattr(replica.served.model, "embed", slowly)
    door: Any = build_api(replica)  # type: ignore[arg-type]
    recordings: Recordings = door._app._app.state.recordings
    hour = by_sndfile("FLAC", "PCM_16", np.zeros(8_000 * 3_600, np.float32), 8_000)
    with Server(door) as url, httpx.Client(timeout=1.0) as client:
        request = client.build_request(
            "POST", f"{url}/analyze?hop_s=0.05", content=hour, headers={"accept": accept}
        )
        with suppress(httpx.ReadTimeout):
            answer = client.send(request, stream=True)
            next(answer.iter_lines())
            answer.close()
        wait_for(lambda: recordings.anonymous.total == 0, 60)


def test_one_recording_of_a_caller_at_a_time(client: TestClient) -> None:
    """Two are kept here: of one caller only one, so that another finds a place."""
    recordings: Recordings = client.app._app._app.state.recordings  # type: ignore[attr-defined]
    recordings.anonymous.take("testclient", 1)
    try:
        refused = ask(client)
    finally:
        recordings.anonymous.give_back("testclient", 1)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    assert ask(client).status_code == 200


def test_those_without_a_key_leave_places_to_those_with_one(
    client: TestClient, replica: Replica
) -> None:
    recordings: Recordings = client.app._app._app.state.recordings  # type: ignore[attr-defined]
    of_ann = {"authorization": f"Bearer {key_of(replica.store, 'ann', 'contributor')}"}
    recordings.anonymous.take("10.0.0.1", 1)
    recordings.anonymous.take("10.0.0.2", 1)
    try:
        assert ask(client).status_code == 429
        assert ask(client, content=RAW, headers=of_ann).status_code == 200
    finally:
        recordings.anonymous.give_back("10.0.0.1", 1)
        recordings.anonymous.give_back("10.0.0.2", 1)
