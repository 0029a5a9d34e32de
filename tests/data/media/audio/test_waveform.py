"""Channels become one: by their mean, unless that would leave nothing."""

import io

import numpy as np
import pytest
import soundfile

from data.domains.sections import LimitSpec
from data.media.audio.recording import decode
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


def test_the_first_block_with_sound_decides_for_those_as_loud() -> None:
    downmix = Downmix()
    assert not downmix(np.zeros((100, 2), np.float32)).any()
    downmix(stereo(LEFT, -LEFT))
    np.testing.assert_allclose(downmix(stereo(LEFT, OTHER)), LEFT, atol=1e-6)


@pytest.mark.parametrize("faint", [stereo(LEFT, OTHER), stereo(OTHER, -OTHER)])
def test_what_is_far_louder_is_not_lost_to_the_noise_before_it(faint: np.ndarray) -> None:
    downmix = Downmix()
    downmix(faint * np.float32(0.01))
    np.testing.assert_allclose(downmix(stereo(LEFT, -LEFT)), LEFT, atol=1e-6)
    downmix(faint * np.float32(0.01))
    np.testing.assert_allclose(downmix(stereo(LEFT, -LEFT)), LEFT, atol=1e-6)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_clip_that_cancels_after_a_second_of_noise_is_heard_whatever_its_format(
    kind: str,
) -> None:
    noise = RNG.standard_normal((9_600, 2)) * 0.001
    sound = np.sin(np.arange(16_000) * 0.2) * 0.5
    out = io.BytesIO()
    soundfile.write(out, np.concatenate([noise, stereo(sound, -sound)]), 16_000, format=kind)
    limits = LimitSpec(max_bytes=1_000_000, max_duration_s=10.0)
    heard = decode(out.getvalue(), sample_rate_hz=16_000, limits=limits).samples
    assert np.sqrt(np.mean(heard[9_600:] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)
