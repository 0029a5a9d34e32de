"""ask_recording.py: a long recording is followed to its events, can be stopped, and cut."""

import io
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serve_app.client.analysis_answers import Analysis, Progress
from serve_app.client.client import Client
from serve_app.ui.places.ask.ask_recording import clock, events, heard, moments
from serve_app.ui.places.ask.given import Given
from support.fakes.fake_api import create
from support.fakes.fake_world import World
from support.inputs.sounds import tone, wav
from support.local_server import Server

RATE_HZ = 8_000


@pytest.fixture
def night(tmp_path: Path) -> Given:
    """Fluid from 5 to 10 s, otherwise normal."""
    parts = [soundfile.read(io.BytesIO(tone(hz, 5.0, RATE_HZ)))[0] for hz in (3000, 250, 3000)]
    path = tmp_path / "night.wav"
    path.write_bytes(wav(np.concatenate(parts), RATE_HZ))
    return Given("night.wav", path)


def test_a_recording_tells_how_far_it_is_and_its_events_can_be_cut_and_downloaded(
    night: Given,
) -> None:
    with Server(create(World(step_s=0.1))) as url, Client(url) as client:
        domain = client.domains()[0]
        *before, found = heard(client, domain, night, lambda: False)
        assert list(heard(client, domain, night, lambda: True)) == []
    assert isinstance(found, Analysis)
    assert any(isinstance(told, Progress) and told.done for told in before)
    assert [event.label for event in found.events] == ["fluid"]
    (moment,) = moments(found, night)
    assert (moment.moment, moment.recording) == ((5.0, 10.0), "night.wav")
    samples, rate_hz = soundfile.read(io.BytesIO(moment.read(domain)))
    assert (len(samples), rate_hz) == (5 * RATE_HZ, RATE_HZ)
    shown = events(found, night)
    for name in ("events.csv", "labels.txt", "selections.txt"):
        assert f'download="{name}"' in shown


def test_who_leaves_waits_for_nothing_and_the_work_for_him_ends(
    night: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, ended = threading.Event(), threading.Event()

    def analyze(*_: object, watch: Callable[[Progress], None]) -> None:
        watch(Progress(heard_s=5.0, done=0.3))
        closed.wait(timeout=3)
        try:
            watch(Progress(heard_s=10.0, done=0.6))
        except Exception:
            ended.set()
            raise

    monkeypatch.setattr(Client, "analyze", analyze)
    with Server(create(World(step_s=0.1))) as url, Client(url) as client:
        told = heard(client, client.domains()[0], night, lambda: False)
        assert isinstance(next(told), Progress)
        told.close()
    closed.set()
    assert ended.wait(timeout=3)


def test_times_are_read_as_on_a_clock() -> None:
    assert [clock(s) for s in (0, 65.25, 3723.4)] == ["0:00.0", "1:05.2", "1:02:03.4"]
