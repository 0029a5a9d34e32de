"""near_copies.py: copies are found through what happens to copies, and nothing else is one."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from data.domains.domain import load_domains, of_sounds
from data.media.audio import decode
from data.quality.near_copies import COPY, RATE_HZ, contour, find_alike
from support.sounds import bursts

Floats = NDArray[np.float32]


def coded(samples: Floats, container: str, subtype: str) -> Floats:
    out = io.BytesIO()
    soundfile.write(out, samples, RATE_HZ, format=container, subtype=subtype)
    limits = of_sounds(load_domains()["faults"]).limits
    return decode(out.getvalue(), sample_rate_hz=RATE_HZ, limits=limits).samples


COPIES: dict[str, Callable[[Floats], Floats]] = {
    "louder until it clips": lambda wave: np.clip(wave * 4, -1, 1),
    "much softer": lambda wave: wave * np.float32(0.01),
    "MP3": lambda wave: coded(wave, "MP3", "MPEG_LAYER_III"),
    "Vorbis": lambda wave: coded(wave, "OGG", "VORBIS"),
    "cut at the beginning": lambda wave: wave[int(0.107 * RATE_HZ) :],
    "later": lambda wave: np.concatenate([np.zeros(1234, np.float32), wave]),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_others(how: str) -> None:
    waves = [bursts(seed) for seed in range(12)]
    contours = [contour(wave) for wave in (*waves, COPIES[how](waves[5]))]
    (pair,) = find_alike(contours)
    assert (pair.first, pair.second) == (5, 12)
    assert COPY <= pair.score <= 1.001


def test_different_recordings_are_no_copies() -> None:
    contours = [contour(bursts(seed)) for seed in range(30)]
    assert find_alike(contours, 0.5) == []


def test_silence_is_like_nothing_and_short_clips_are_compared_too() -> None:
    silent = contour(np.zeros(RATE_HZ, np.float32))
    short = contour(bursts(1, 0.3))
    tiny = contour(bursts(2, 0.001))
    (found,) = find_alike([silent, silent, short, tiny, short])
    assert (found.first, found.second) == (2, 4)
    assert found.score == pytest.approx(1)
    assert find_alike([]) == find_alike([short]) == []


def test_all_copies_of_one_recording_are_found() -> None:
    contours = [contour(bursts(seed)) for seed in (1, 2, 1, 3, 1)]
    found = {(pair.first, pair.second) for pair in find_alike(contours)}
    assert found == {(0, 2), (0, 4), (2, 4)}
