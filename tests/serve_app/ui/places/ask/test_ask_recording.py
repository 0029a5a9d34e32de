"""ask_recording.py: a long recording is followed to its events, can be stopped, and cut."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serve_app.client.analysis_answers import Analysis, Progress
from serve_app.client.client import Client
from serve_app.ui.places.ask.ask_recording import Ordered, clock, events, heard, moments
from serve_app.ui.places.ask.given import Given
from support.fakes.fake_api import create
from support.fakes.fake_world import World
from support.inputs.sounds import tone, wav
from support.local_server import Server
from support.waiting import wait_for

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
    with Server(create(World(step_s=2.0))) as url, Client(url) as client:
        domain, ordered = client.domains()[0], Ordered()
        night = ordered.order(client, domain, night)
        *before, found = heard(client, domain, night.job, lambda: False)
        assert ordered.find(domain, night.job) == night
        assert ordered.find(client.domains()[1], night.job) is None
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


def test_a_job_goes_on_without_its_page_and_ends_when_it_is_over(night: Given) -> None:
    world = World(step_s=2.0)
    with Server(create(world)) as url, Client(url) as client:
        domain, over = client.domains()[0], threading.Event()
        night = Ordered().order(client, domain, night)
        page = heard(client, domain, night.job, over.is_set)
        assert isinstance(next(page), Progress)
        page.close()
        assert world.jobs[night.job]["state"] == "running"
        again = heard(client, domain, night.job, over.is_set)
        assert isinstance(next(again), Progress)
        over.set()
        assert list(again) == []
        wait_for(lambda: world.jobs[night.job]["state"] == "cancelled")


def test_times_are_read_as_on_a_clock() -> None:
    assert [clock(s) for s in (0, 65.25, 3723.4)] == ["0:00.0", "1:05.2", "1:02:03.4"]
