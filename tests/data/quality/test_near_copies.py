"""near_copies.py: copies are found through what happens to copies, and nothing else is one."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from data.domains.domain import load_domains, of_sounds
from data.media.audio.recording import decode
from data.quality.near_copies import COPY, find_copies, fingerprint, likeness
from support.inputs.sounds import bursts, wav

Floats = NDArray[np.float32]

SENT_HZ = 8_000
FAULTS = of_sounds(load_domains(names=("faults",))["faults"])


def coded(samples: Floats, container: str, subtype: str) -> Floats:
    out = io.BytesIO()
    soundfile.write(out, samples, SENT_HZ, format=container, subtype=subtype)
    return decode(out.getvalue(), sample_rate_hz=SENT_HZ, limits=FAULTS.limits).samples


COPIES: dict[str, Callable[[Floats], Floats]] = {
    "louder until it clips": lambda wave: np.clip(wave * 4, -1, 1),
    "much softer": lambda wave: wave * np.float32(0.01),
    "MP3": lambda wave: coded(wave, "MP3", "MPEG_LAYER_III"),
    "Vorbis": lambda wave: coded(wave, "OGG", "VORBIS"),
    "cut at the beginning": lambda wave: wave[int(0.107 * SENT_HZ) :],
    "later": lambda wave: np.concatenate([np.zeros(1234, np.float32), wave]),
}


def made(samples: Floats) -> bytes:
    return fingerprint(wav(samples, SENT_HZ), FAULTS)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found_among_others(how: str) -> None:
    waves = [bursts(seed) for seed in range(12)]
    prints = [made(wave) for wave in (*waves, COPIES[how](waves[5]))]
    (pair,) = find_copies(prints)
    assert (pair.first, pair.second) == (5, 12)
    assert COPY <= pair.score <= 1.001


def test_different_recordings_are_no_copies() -> None:
    prints = [made(bursts(seed)) for seed in range(30)]
    assert find_copies(prints) == []


def test_a_hum_that_two_recordings_share_makes_no_copy_of_either() -> None:
    hum = np.sin(2 * np.pi * 100 * np.arange(3 * SENT_HZ) / SENT_HZ).astype(np.float32)
    first, second = (made(0.2 * bursts(seed) + 0.2 * hum) for seed in (1, 2))
    assert likeness(first, [second]) < COPY


def test_silence_is_like_nothing_and_short_clips_are_compared_too() -> None:
    silent, short = made(np.zeros(SENT_HZ, np.float32)), made(bursts(1, 0.3))
    tiny = made(bursts(2, 0.001))
    (found,) = find_copies([silent, silent, short, tiny, short])
    assert (found.first, found.second) == (2, 4)
    assert found.score == pytest.approx(1, rel=1e-3)
    assert find_copies([]) == find_copies([short]) == []


def test_all_copies_of_one_recording_are_found() -> None:
    prints = [made(bursts(seed)) for seed in (1, 2, 1, 3, 1)]
    found = {(pair.first, pair.second) for pair in find_copies(prints)}
    assert found == {(0, 2), (0, 4), (2, 4)}
