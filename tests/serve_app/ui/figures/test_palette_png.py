"""palette_png.py: a recording of any length can be drawn."""

import base64
import io
import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from serve_app.ui.figures.palette_png import COLUMNS, spectrogram

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
