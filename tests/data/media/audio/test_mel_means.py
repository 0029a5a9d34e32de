"""mel_means.py: silence around a short clip does not count, and MFCCs are the usual ones."""

import librosa
import numpy as np

from data.domains.domain import load_domains, of_sounds
from data.media.audio.features import log_mel_for, windows
from data.media.audio.mel_means import COEFFICIENTS, centres_hz, heard, mfcc

DOMAIN = of_sounds(load_domains(names=("keywords",))["keywords"])
NOISE = np.random.default_rng(0).standard_normal(2_000).astype(np.float32) * 0.1


def test_what_pads_a_short_clip_is_not_heard() -> None:
    log_mel = log_mel_for(DOMAIN)(windows(NOISE, DOMAIN.input))
    assert log_mel.shape[2] == 101
    assert 25 <= len(heard(log_mel)) <= 30  # 2,000 samples are 25 hops, and a window reaches out
    assert heard(log_mel_for(DOMAIN)(np.zeros((1, 8_000), np.float32))).shape == (0, 40)


def test_mfcc_of_a_mean_is_the_mean_of_mfccs_as_librosa_has_them() -> None:
    frames = heard(log_mel_for(DOMAIN)(windows(NOISE, DOMAIN.input))).astype(np.float64)
    by_librosa = librosa.feature.mfcc(S=frames.T, n_mfcc=COEFFICIENTS).mean(axis=1)
    assert np.allclose(mfcc(frames.mean(axis=0)), by_librosa, atol=1e-6)


def test_a_tone_is_loudest_in_the_bin_of_its_frequency() -> None:
    hz = centres_hz(DOMAIN.features)  # type: ignore[arg-type]
    tone = np.sin(2 * np.pi * hz[25] * np.arange(8_000) / 8_000).astype(np.float32)
    assert heard(log_mel_for(DOMAIN)(tone[np.newaxis])).mean(axis=0).argmax() == 25
