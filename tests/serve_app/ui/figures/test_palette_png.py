"""palette_png.py: a recording of any length can be drawn."""

import base64
import io
import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from serve_app.ui.figures.palette_png import COLUMNS, cepstrum, spectrogram

RATE_HZ = 16_000


def pixels(figure: str) -> NDArray[np.uint8]:
    """[mels, columns], the brightest is the loudest."""
    address = re.search(r"base64,([^\"]+)", figure)
    assert address is not None
    with Image.open(io.BytesIO(base64.b64decode(address[1]))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("seconds", [0.01, 1.0, 41.0, 300.0])
def test_a_recording_of_any_length_is_drawn_no_wider_than_a_screen(seconds: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE_HZ)).astype(np.float32)
    assert 0 < pixels(spectrogram(noise, RATE_HZ)).shape[1] <= 2 * COLUMNS


def test_a_short_event_in_a_long_recording_is_seen_where_it_is() -> None:
    silence = np.zeros(120 * RATE_HZ, np.float32)
    silence[90 * RATE_HZ : 90 * RATE_HZ + 800] = 0.5  # a twentieth of a second
    loudest = pixels(spectrogram(silence, RATE_HZ)).max(axis=0)
    seen = np.flatnonzero(loudest > 200) / len(loudest)
    assert seen.size
    assert seen == pytest.approx(0.75, abs=0.01)


def test_the_cepstrum_changes_where_the_sound_does_and_not_with_its_level() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 2 * RATE_HZ)
    hum = 0.1 * np.sin(2 * np.pi * 120 * np.arange(2 * RATE_HZ) / RATE_HZ)
    wave = np.where(np.arange(2 * RATE_HZ) < RATE_HZ, noise, hum + noise / 100).astype(np.float32)
    drawn = pixels(cepstrum(wave, RATE_HZ)).astype(float)
    assert drawn.shape[0] > 1
    first, second = np.array_split(drawn, 2, axis=1)
    assert np.abs(first.mean(1) - second.mean(1)).max() > 50
    louder = pixels(cepstrum(4 * wave, RATE_HZ)).astype(float)
    assert np.abs(louder - drawn).mean() < 5


def test_the_cepstrum_of_silence_is_drawn() -> None:
    assert pixels(cepstrum(np.zeros(RATE_HZ, np.float32), RATE_HZ)).size
