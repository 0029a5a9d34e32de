"""The clips of the comparison are what their names say, in formats that are accepted."""

import pytest

from data.domains.sections import LimitSpec
from data.media.audio.recording import decode
from loadtest.clip import MAIN, in_formats

LIMITS = LimitSpec(max_bytes=10_000_000, max_duration_s=30)
RIGHT = {  # name -> container, rate as sent, seconds
    MAIN: ("WAV", 16_000, 5.0),
    "1s": ("WAV", 16_000, 1.0),
    "5s-44k": ("WAV", 44_100, 5.0),
    "flac": ("FLAC", 16_000, 5.0),
    "m4a": ("M4A", 44_100, 5.0),
}


@pytest.fixture(scope="module")
def clips() -> dict[str, bytes]:
    return in_formats()


def test_every_clip_is_described_here(clips: dict[str, bytes]) -> None:
    assert set(clips) == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_a_clip_is_decoded_to_the_sound_it_was_made_from(
    name: str, clips: dict[str, bytes]
) -> None:
    container, rate_hz, seconds = RIGHT[name]
    heard = decode(clips[name], sample_rate_hz=16_000, limits=LIMITS)
    assert heard.container == container
    assert heard.source_rate_hz == rate_hz
    assert heard.duration_s == pytest.approx(seconds, abs=0.08)  # codecs pad
    assert 0.2 < abs(heard.samples).max() < 1


def test_the_main_clip_is_160_kilobytes_and_the_same_every_time(clips: dict[str, bytes]) -> None:
    assert len(clips[MAIN]) == 160_044
    assert in_formats()[MAIN] == clips[MAIN]


def test_noise_does_not_compress_away(clips: dict[str, bytes]) -> None:
    assert len(clips["flac"]) > 0.5 * len(clips[MAIN])
