"""augment.py: changes that keep the label true, the same for the same seed."""

import numpy as np
import pytest

from data.datasets.augment import (
    WaveformAugment,
    change_speed,
    colour,
    fit_window,
    mask,
    mix_background,
    mix_up,
)
from data.domains.domain import AudioDomain, load_domains
from data.domains.sections import AugmentSpec

DOMAINS = [domain for domain in load_domains().values() if isinstance(domain, AudioDomain)]


@pytest.fixture(params=DOMAINS, ids=lambda domain: domain.name)
def domain(request: pytest.FixtureRequest) -> AudioDomain:
    found: AudioDomain = request.param
    return found


def augment_of(domain: AudioDomain) -> WaveformAugment:
    sizes = domain.input
    return WaveformAugment(domain.training.augment, sizes.sample_rate_hz, sizes.window_samples)


@pytest.mark.parametrize("seconds", [0.2, 0.9, 7.0])
def test_a_clip_of_any_length_becomes_one_window(domain: AudioDomain, seconds: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * domain.input.sample_rate_hz))
    window = augment_of(domain)(noise.astype(np.float32), np.random.default_rng(1))
    assert window.shape == (domain.input.window_samples,)
    assert window.dtype == np.float32
    assert np.isfinite(window).all()


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_a_faster_clip_is_higher_and_not_shorter_than_asked_for(factor: float) -> None:
    rate_hz = 8000
    tone = np.sin(2 * np.pi * 400 * np.arange(2 * rate_hz) / rate_hz).astype(np.float32)
    faster = change_speed(tone, factor, rate_hz)
    assert faster.shape == (rate_hz,)
    assert np.abs(np.fft.rfft(faster)).argmax() == pytest.approx(400 * factor, abs=1)


def test_the_same_seed_gives_the_same_clip(domain: AudioDomain) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 9000).astype(np.float32)
    first, second = (augment_of(domain)(noise, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, augment_of(domain)(noise, np.random.default_rng(6)))


def test_a_short_clip_is_not_cut() -> None:
    clip = np.ones(30, np.float32)
    for seed in range(20):
        assert fit_window(clip, 100, np.random.default_rng(seed)).sum() == 30


def test_silence_stays_silence(domain: AudioDomain) -> None:
    """Noise is measured against the clip: there is no clip to drown."""
    silent = np.zeros(domain.input.window_samples, np.float32)
    for seed in range(5):
        assert not augment_of(domain)(silent, np.random.default_rng(seed)).any()


def test_mixing_keeps_targets_distributions_with_the_louder_clips_label_first() -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(8, 50)).astype(np.float32)
    targets = np.eye(4, dtype=np.float32)[np.arange(8) % 4]
    mixed, shares = mix_up(windows, targets, 0.4, rng)
    assert mixed.shape == windows.shape
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.array_equal(shares.argmax(axis=1), targets.argmax(axis=1))


def test_without_alpha_nothing_is_mixed() -> None:
    windows, targets = np.ones((4, 9), np.float32), np.eye(4, dtype=np.float32)
    mixed, shares = mix_up(windows, targets, 0.0, np.random.default_rng(0))
    assert mixed is windows
    assert shares is targets


def test_masks_hide_bands_and_moments_but_not_the_clip() -> None:
    spec = AugmentSpec(
        time_shift_s=0, gain_db=0, noise_snr_db=None, speed=0, freq_masks=2, time_masks=2,
        mixup_alpha=0,
    )  # fmt: skip
    features = np.random.default_rng(0).normal(size=(6, 40, 100)).astype(np.float32)
    before = features.copy()
    masked = mask(features, spec, np.random.default_rng(1))
    changed = (masked != features).mean(axis=(1, 2))
    assert np.array_equal(features, before), "the original is left alone"
    assert changed.max() > 0.05
    assert changed.max() < 0.7


def test_a_background_is_as_quiet_as_was_said() -> None:
    rng = np.random.default_rng(0)
    windows = (rng.normal(size=(64, 1000)) * rng.uniform(0.1, 1, (64, 1))).astype(np.float32)
    mixed = mix_background(windows, 10, rng)
    added = np.mean((mixed - windows) ** 2, axis=1) / np.mean(windows**2, axis=1)
    assert 10 * np.log10(added.max()) <= -10 + 1e-3
    assert 10 < np.count_nonzero(added > 1e-9) < 54, "every second one"
    assert mix_background(windows, None, rng) is windows


def test_a_colour_is_the_same_at_all_times_and_within_its_bound() -> None:
    features = np.random.default_rng(0).normal(size=(4, 40, 20)).astype(np.float32)
    change = colour(features, 6, np.random.default_rng(1)) - features
    assert np.ptp(change, axis=2).max() < 1e-5
    assert 0.1 < np.abs(change).max() <= 6 * np.log(10) / 10 + 1e-5
    assert colour(features, 0, np.random.default_rng(1)) is features
