"""Channels become one: by their mean, unless that would leave nothing."""

import numpy as np
import pytest

from data.media.audio.waveform import Downmix

RNG = np.random.default_rng(1)
LEFT, OTHER = RNG.standard_normal((2, 4000)).astype(np.float32) * np.float32(0.1)


def stereo(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.stack([left, right], axis=1)


def test_channels_that_differ_are_averaged() -> None:
    np.testing.assert_allclose(Downmix()(stereo(LEFT, OTHER)), (LEFT + OTHER) / 2, atol=1e-6)


@pytest.mark.parametrize("gain", [-1.0, -0.9])
def test_of_channels_that_cancel_each_other_out_the_louder_is_heard(gain: float) -> None:
    found = Downmix()(stereo(LEFT, np.float32(gain) * LEFT))
    np.testing.assert_allclose(found, LEFT, atol=1e-6)


def test_the_first_block_with_sound_decides_for_all() -> None:
    downmix = Downmix()
    assert not downmix(np.zeros((100, 2), np.float32)).any()
    downmix(stereo(LEFT, -LEFT))
    np.testing.assert_allclose(downmix(stereo(LEFT, OTHER)), LEFT, atol=1e-6)
