"""Log-mel features: torchaudio's numbers, without torchaudio."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data.domains.domain import AudioDomain, load_domains
from data.domains.sections import AudioInput, LogMelSpec
from data.media.audio.features import LogMel, log_mel_for, windows

DOMAINS = [domain for domain in load_domains().values() if isinstance(domain, AudioDomain)]
SPEC = AudioInput(sample_rate_hz=8000, window_s=1.0, hop_s=0.5)


def noise(*shape: int) -> NDArray[np.float32]:
    return 0.1 * np.random.default_rng(0).standard_normal(shape, np.float32)


def by_torchaudio(
    waveform: NDArray[np.float32], spec: LogMelSpec, sample_rate_hz: int
) -> NDArray[np.float32]:
    import torch

    from models.networks.torch_audio import MelSpectrogram

    mel = MelSpectrogram(
        sample_rate=sample_rate_hz,
        n_fft=spec.n_fft,
        hop_length=spec.hop_length,
        n_mels=spec.n_mels,
        f_min=spec.fmin_hz,
        f_max=spec.fmax_hz,
        mel_scale=spec.mel_scale,
    )
    log_mel: NDArray[np.float32] = torch.log(mel(torch.from_numpy(waveform)) + 1e-6).numpy()
    return log_mel


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
@pytest.mark.parametrize("loudness", [1e-4, 1.0, 10.0])
def test_log_mel_equals_torchaudio_for_every_domain(domain: AudioDomain, loudness: float) -> None:
    waveform = np.float32(loudness) * noise(2, domain.input.window_samples)
    ours = log_mel_for(domain)(waveform)
    assert isinstance(domain.features, LogMelSpec)
    theirs = by_torchaudio(waveform, domain.features, domain.input.sample_rate_hz)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("n_fft", "hop_length"), [(64, 16), (400, 160), (512, 128), (8192, 2000)])
def test_log_mel_equals_torchaudio_for_any_frame_length(n_fft: int, hop_length: int) -> None:
    spec = LogMelSpec(n_fft=n_fft, hop_length=hop_length, n_mels=8, fmin_hz=0, fmax_hz=8000)
    waveform = noise(9001)
    theirs = by_torchaudio(waveform, spec, 16000)
    np.testing.assert_allclose(LogMel(spec, 16000)(waveform), theirs, rtol=0, atol=1e-4)


def test_a_filter_between_two_bins_hears_nothing() -> None:
    spec = LogMelSpec(n_fft=64, hop_length=16, n_mels=256, fmin_hz=0, fmax_hz=8000)
    log_mel = LogMel(spec, 16000)(noise(9001))
    deaf = (log_mel == np.log(np.float32(1e-6))).all(axis=1)
    assert deaf[:16].all()
    assert not deaf[-16:].all()
    assert np.isfinite(log_mel).all()


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.name)
def test_a_window_has_as_many_frames_as_its_domain_says(domain: AudioDomain) -> None:
    assert log_mel_for(domain)(noise(domain.input.window_samples)).shape == domain.window


def test_a_window_has_the_same_features_alone_as_in_a_batch() -> None:
    log_mel = log_mel_for(DOMAINS[0])
    batch = noise(3, DOMAINS[0].input.window_samples)
    alone = np.stack([log_mel(waveform) for waveform in batch])
    np.testing.assert_array_equal(log_mel(batch), alone)


def test_silence_has_finite_features() -> None:
    features = log_mel_for(DOMAINS[0])(np.zeros(80000, np.float32))
    np.testing.assert_allclose(features, np.log(1e-6), rtol=1e-6)


def test_a_short_clip_stands_in_the_middle_of_silence() -> None:
    (window,) = windows(np.ones(101, np.float32), SPEC)
    assert window.shape == (8000,)
    assert window.sum() == 101
    assert np.flatnonzero(window)[0] == 3949


def test_a_clip_of_one_window_is_heard_once() -> None:
    samples = noise(8000)
    np.testing.assert_array_equal(windows(samples, SPEC), samples[np.newaxis])


def test_the_last_window_ends_where_the_recording_ends() -> None:
    samples = noise(15000)
    heard = windows(samples, SPEC)
    assert heard.shape == (3, 8000)
    np.testing.assert_array_equal(heard[1], samples[4000:12000])
    np.testing.assert_array_equal(heard[2], samples[-8000:])


def test_the_milliseconds_a_codec_adds_get_no_window_of_their_own() -> None:
    assert len(windows(noise(8000 + 160), SPEC)) == 1
    assert len(windows(noise(8000 + 161), SPEC)) == 2


@pytest.mark.parametrize("length", [1, 7999, 8001, 11999, 12000, 12161, 20000, 33333])
def test_every_part_of_a_recording_is_heard(length: int) -> None:
    numbered = np.arange(1, length + 1, dtype=np.float32)
    heard = np.setdiff1d(windows(numbered, SPEC), [0])
    assert length - len(heard) <= 160
