"""log_mel_means.py: silence around a short clip does not count, a label's mean is over the frames
of all its clips, and MFCCs are the usual ones."""

import numpy as np

from data.domains.domain import load_domains, of_sounds
from data.media.audio.features import log_mel_for, windows
from data.media.audio.log_mel_means import (
    COEFFICIENTS,
    LogMelMeans,
    centres_hz,
    mfcc,
    unpadded_frames,
)

DOMAIN = of_sounds(load_domains(names=("keywords",))["keywords"])
NOISE = np.random.default_rng(0).standard_normal(2_000).astype(np.float32) * 0.1


def test_what_pads_a_short_clip_is_not_unpadded_frames() -> None:
    log_mel = log_mel_for(DOMAIN)(windows(NOISE, DOMAIN.input))
    assert log_mel.shape[2] == DOMAIN.frames
    assert (
        25 <= len(unpadded_frames(log_mel)) <= 30
    )  # 2,000 samples are 25 hops, and a window reaches out
    silence = np.zeros((1, 8_000), np.float32)
    assert unpadded_frames(log_mel_for(DOMAIN)(silence)).shape == (0, DOMAIN.window[0])


def test_mfcc_of_a_mean_is_the_mean_of_mfccs() -> None:
    """As librosa has them, by the definition; to ask it would cost half a minute of compiling."""
    frames = unpadded_frames(log_mel_for(DOMAIN)(windows(NOISE, DOMAIN.input))).astype(np.float64)
    bins = frames.shape[1]
    waves = np.cos(np.pi / bins * np.outer(np.arange(bins) + 0.5, np.arange(COEFFICIENTS)))
    usual = frames @ waves * np.sqrt(2 / bins)
    usual[:, 0] /= np.sqrt(2)
    assert np.allclose(mfcc(frames.mean(axis=0)), usual.mean(axis=0), atol=1e-6)


def test_a_tone_is_loudest_in_the_bin_of_its_frequency() -> None:
    hz = centres_hz(DOMAIN.features)  # type: ignore[arg-type]
    tone = np.sin(2 * np.pi * hz[25] * np.arange(8_000) / 8_000).astype(np.float32)
    assert unpadded_frames(log_mel_for(DOMAIN)(tone[np.newaxis])).mean(axis=0).argmax() == 25


def test_long_clips_count_by_their_frames() -> None:
    domain = load_domains()["keywords"]
    means = LogMelMeans(domain)
    short, long = (
        np.full((1, 40, frames), value, np.float32) for frames, value in ((1, 0), (3, 4))
    )
    means.add("one", short)
    means.add("one", long)
    means.add("two", np.full((1, 40, 5), np.log(1e-6), np.float32))
    assert means.card_field() == {"one": [3.0] * 40}


def test_photographs_have_none() -> None:
    means = LogMelMeans(load_domains()["cracks"])
    means.add("crack", np.zeros((1, 3, 8, 8), np.float32))
    assert means.card_field() is None
