"""One gain for a whole recording, so that how far the microphone stood decides nothing."""

import numpy as np
import pytest

from data.domains.sections import AudioInput
from data.media.audio.loudness import SILENCE_DBFS, at_loudness, level_dbfs

SPEC = AudioInput(sample_rate_hz=8000, window_s=1.0, hop_s=0.5, loudness_dbfs=-20)
RNG = np.random.default_rng(3)
SOUND = RNG.standard_normal(20_000).astype(np.float32) * np.float32(0.1)


def test_the_level_is_that_of_the_loudest_window() -> None:
    quiet = SOUND.copy()
    quiet[:10_000] *= 0.01
    assert level_dbfs(quiet, 8000) == pytest.approx(-20, abs=0.3)


def test_an_offset_is_no_sound() -> None:
    found, level = at_loudness(np.full(100, 0.5, np.float32), SPEC)
    assert level == SILENCE_DBFS
    assert not found.any()
    np.testing.assert_allclose(
        at_loudness(SOUND + np.float32(0.5), SPEC)[0], at_loudness(SOUND, SPEC)[0], atol=1e-5
    )


@pytest.mark.parametrize("gain_db", [-60, -24, 0, 12])
def test_the_same_sound_is_heard_alike_at_every_level(gain_db: float) -> None:
    right, level = at_loudness(SOUND, SPEC)
    found, quieter = at_loudness(SOUND * np.float32(10 ** (gain_db / 20)), SPEC)
    np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-6)
    assert quieter - level == pytest.approx(gain_db, abs=0.01)


def test_a_domain_that_says_no_loudness_hears_as_recorded() -> None:
    as_recorded = SPEC.model_copy(update={"loudness_dbfs": None})
    assert at_loudness(SOUND, as_recorded)[0] is SOUND


def test_silence_is_not_made_into_noise() -> None:
    nothing = np.zeros(8000, np.float32)
    found, level = at_loudness(nothing, SPEC)
    assert level == SILENCE_DBFS
    assert not found.any()
