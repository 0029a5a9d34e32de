"""stream_routes.py: live sound is answered window by window, and by events while they happen."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from serve_app.http.requests import live_sound
from serve_app.http.routes import stream_routes
from support.inputs.recordings import by_ffmpeg
from support.inputs.sounds import tone
from support.replica import ADMIN, Replica, answering

START = {"sample_rate_hz": 8_000}
SOUND = tone(500, seconds=3.0, rate_hz=8_000)[44:]  # behind the header of its WAV


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    """Of digits; whatever is nearest to a tone is one, surely."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        replica = Replica("keywords", Path(home))
        assert replica.store  # opened before anybody waits for it
        model = replica.served.model
        patch.setattr(model, "why_unknown", lambda *_: None)
        patch.setattr(
            model,
            "probabilities",
            lambda logits: np.eye(10, dtype=np.float32)[np.full(len(logits), 7)],
        )
        yield replica


@pytest.fixture(scope="module")
def client(replica: Replica) -> Iterator[TestClient]:
    with answering(replica) as found:
        yield found


def answers(socket: WebSocketTestSession) -> list[dict[str, Any]]:
    """Until it is closed."""
    found = []
    try:
        while True:
            found.append(json.loads(socket.receive_text()))
    except WebSocketDisconnect as ended:
        return [*found, {"type": "closed", "code": ended.code, "reason": ended.reason}]


def test_windows_are_answered_and_events_told_while_they_happen(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_sound.Pace, "hops", lambda *_: 1)  # however slow the machine is
    with client.websocket_connect("/keywords/stream") as socket:
        socket.send_json(START)
        for first in range(0, len(SOUND), 1_500):  # bytes; samples are cut anywhere
            socket.send_bytes(SOUND[first : first + 1_500])
        ready = json.loads(socket.receive_text())
        told = [json.loads(socket.receive_text()) for _ in range(8)]
        socket.send_text("end")
        told += answers(socket)
    assert (ready["type"], ready["domain"], ready["window_s"]) == ("ready", "keywords", 0.65)
    windows = [each for each in told if each["type"] == "prediction"]
    hop_s = ready["hop_s"]
    assert len(windows) == 25  # from 0 to 2.3 s, and the one that ends where the sound does
    assert windows[-1]["start_s"] == pytest.approx(2.35)
    assert {each["skipped"] for each in windows} == {0}
    assert [each["start_s"] for each in windows[:3]] == pytest.approx([0, hop_s, 2 * hop_s])
    assert windows[0]["label"] == "seven"
    begun, ended = (each for each in told if each["type"] == "event")
    assert told.index(begun) < len(told) // 2
    assert (begun["ended"], ended["ended"]) == (False, True)
    assert (ended["start_s"], ended["end_s"]) == (0.0, 3.0)
    assert told[-1]["code"] == 1000


@pytest.mark.parametrize(
    ("first", "then", "code", "words"),
    [
        ("seven, please", b"", 1008, "first message must be JSON"),
        ({"rate": 8_000}, b"", 1008, "rate: Extra inputs are not permitted"),
        ({}, b"", 1008, "pcm16 needs sample_rate_hz"),
        ({**START, "format": "mp3"}, b"", 1008, "format: Input should be 'pcm16' or 'opus'"),
        ({"format": "opus"}, SOUND, 1008, "begins as Ogg or WebM does"),
        ({**START, "key": "nobody's"}, b"", 1008, "this key is not known here"),
    ],
)
def test_a_refusal_says_why_and_closes(
    client: TestClient, first: Any, then: bytes, code: int, words: str
) -> None:
    with client.websocket_connect("/stream") as socket:
        socket.send_text(first if isinstance(first, str) else json.dumps(first))
        socket.send_bytes(then)
        *_, error, closed = answers(socket)
    assert error["type"] == "error"
    assert words in error["detail"]
    assert closed["code"] == code
    assert error["detail"].startswith(closed["reason"])


@pytest.mark.parametrize("muxer", ["ogg", "webm"])
def test_opus_is_heard_while_it_is_recorded(client: TestClient, muxer: str) -> None:
    raw = by_ffmpeg(muxer, "libopus", 48_000, duration_s=3.0)
    half = len(raw) // 2
    with client.websocket_connect("/stream") as socket:
        socket.send_json({"format": "opus"})
        for first in range(0, half, 500):
            socket.send_bytes(raw[first : min(half, first + 500)])
        while (found := json.loads(socket.receive_text()))["type"] != "event":
            pass
        assert not found["ended"]
        socket.send_bytes(raw[half:])
        socket.send_text("end")
        *_, ended, closed = answers(socket)
    assert ended["type"] == "event"
    assert ended["end_s"] == pytest.approx(3.0, abs=0.03)
    assert closed["code"] == 1000


def test_what_is_no_opus_is_refused_in_words(client: TestClient) -> None:
    with client.websocket_connect("/stream") as socket:
        socket.send_json({"format": "opus"})
        socket.send_bytes(b"OggS" + bytes(9_000))
        socket.send_text("end")
        *_, error, closed = answers(socket)
    assert "this Ogg stream is damaged" in error["detail"]
    assert closed["code"] == 1008


def test_compressed_streams_are_few(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_routes, "COMPRESSED_AT_ONCE", 0)
    with client.websocket_connect("/stream") as socket:
        socket.send_json({"format": "opus"})
        *_, error, closed = answers(socket)
    assert (error["status"], closed["code"]) == (429, 1013)


def test_a_known_key_in_the_first_message_is_taken(client: TestClient) -> None:
    with client.websocket_connect("/stream") as socket:
        socket.send_json({**START, "key": ADMIN})
        assert json.loads(socket.receive_text())["type"] == "ready"


def test_sound_that_comes_faster_than_it_is_heard_ends_the_stream(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_sound, "WAITING_S", 0.0)
    with client.websocket_connect("/stream") as socket:
        socket.send_json(START)
        socket.send_bytes(SOUND)
        *_, error, closed = answers(socket)
    assert (error["status"], closed["code"]) == (429, 1013)
    assert "faster than it is heard" in error["detail"]


def test_a_silent_line_and_an_endless_one_are_ended(
    client: TestClient, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, client.websocket_connect("/stream") as socket:
        patch.setattr(stream_routes, "IDLE_S", 0.05)
        socket.send_json(START)
        assert "no sound came" in answers(socket)[-2]["detail"]
    limits = replica.domain.limits.model_copy(update={"max_recording_s": 2.0})
    monkeypatch.setattr(replica, "domain", replica.domain.model_copy(update={"limits": limits}))
    with client.websocket_connect("/stream") as socket:
        socket.send_json(START)
        socket.send_bytes(SOUND)
        *_, error, closed = answers(socket)
    assert (closed["code"], "at most 2 s" in error["detail"]) == (1009, True)


def test_a_stream_has_its_place_before_its_first_message(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_routes, "STARTING", 1)
    with client.websocket_connect("/stream") as first:
        with client.websocket_connect("/stream") as second:
            *_, error, closed = answers(second)
        assert (error["status"], closed["code"]) == (429, 1013)
        first.send_json(START)
        assert json.loads(first.receive_text())["type"] == "ready"
        first.send_text("end")
        answers(first)
    with client.websocket_connect("/stream") as third:
        third.send_json(START)
        assert json.loads(third.receive_text())["type"] == "ready"


def test_callers_without_a_key_leave_places_to_those_with_one(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_routes, "AT_ONCE", 1)

    def begun(socket: Any, key: str = "") -> str:
        socket.send_json({**START, "key": key})
        return str(json.loads(socket.receive_text())["type"])

    with client.websocket_connect("/stream") as first:
        assert begun(first) == "ready"
        with client.websocket_connect("/stream") as second:
            assert begun(second) == "error"
        with client.websocket_connect("/stream") as with_key:
            assert begun(with_key, ADMIN) == "ready"


def test_a_page_of_another_origin_is_refused(client: TestClient) -> None:
    for origin, answered in (("http://testserver", "ready"), ("http://elsewhere", "error")):
        headers = {"origin": origin}
        with client.websocket_connect("/stream", headers=headers) as socket:
            socket.send_json(START)
            assert json.loads(socket.receive_text())["type"] == answered
    with client.websocket_connect("/stream", headers={"origin": "http://["}) as socket:
        socket.send_json(START)
        assert answers(socket)[0]["status"] == 403


def test_photographs_have_no_streams(tmp_path: Path) -> None:
    with (
        answering(Replica("cracks", tmp_path)) as client,
        client.websocket_connect("/stream") as socket,
    ):
        socket.send_json(START)
        assert "cracks is about photographs" in answers(socket)[0]["detail"]
