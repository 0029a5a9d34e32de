"""planted.py: clips stand where it says, as loud as it says, and events are counted fairly."""

import numpy as np
import pytest

from data.domains.domain import load_domains, of_sounds
from loadtest.planted import LEVEL, NOISES, Planted, heard_events, overlap, plant, right
from models.analysis.sound_events import Event
from models.bundle import PRETRAINED, load_bundle
from models.runtime import OnnxModel

RATE_HZ = 8_000
CLIPS = [
    (label, np.sin(np.arange(2 * RATE_HZ) * pitch).astype(np.float32))
    for label, pitch in (("low", 0.1), ("high", 0.7))
]


@pytest.mark.parametrize("kind", NOISES)
def test_a_clip_stands_out_of_the_noise_by_its_ratio(kind: str) -> None:
    recording, planted = plant(CLIPS, RATE_HZ, 20.0, kind, seed=1)
    assert {clip.label for clip in planted} == {"low", "high"}
    for clip in planted:
        part = recording[round(clip.start_s * RATE_HZ) : round(clip.end_s * RATE_HZ)]
        assert part.std() == pytest.approx(LEVEL * np.sqrt(1 + 10**2), rel=0.1)
    assert recording[: 4 * RATE_HZ].std() == pytest.approx(LEVEL, rel=0.5)


def test_each_clip_is_found_once_and_by_its_label() -> None:
    planted = [Planted("low", 10.0, 12.0), Planted("high", 20.0, 22.0)]

    def event(label: str, start_s: float, end_s: float) -> Event:
        return Event(label, start_s, end_s, 0.9, start_s)

    assert overlap(event("low", 11.0, 13.0), planted[0]) == pytest.approx(1 / 3)
    events = [event("low", 10.2, 12.0), event("low", 10.4, 11.9), event("low", 20.0, 22.0)]
    assert right(events, planted) == 1


def test_a_recording_is_heard_as_telltale_analyze_hears_it() -> None:
    domain = of_sounds(load_domains(names=("faults",))["faults"])
    silence = np.zeros(20 * domain.input.sample_rate_hz, np.float32)
    assert heard_events(silence, OnnxModel(load_bundle(PRETRAINED / "faults")), domain) == []
