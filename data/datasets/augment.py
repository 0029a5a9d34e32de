"""Seeded changes to training clips that leave their label true.

Waveforms are moved in time, slowed or hastened, made louder or softer, mixed with each other and
drowned in a little noise before the log-mel; bands and moments of the log-mel are masked after it
(SpecAugment, Park et al. 2019). All on a batch and in numpy: training and serving share one
log-mel, and two runs with one seed see the same clips.
"""

import math
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats
from data.domains.sections import AugmentSpec


def fit_window(samples: Floats, length: int, rng: np.random.Generator) -> Floats:
    """A random part of a long clip, of two the louder, for an event may lie in silence; a short
    one at a random place in silence."""
    spare = samples.size - length
    if spare >= 0:
        starts = rng.integers(0, spare + 1, 2)
        parts = [samples[start : start + length] for start in starts.tolist()]
        return max(parts, key=lambda part: float(part @ part))
    window = np.zeros(length, np.float32)
    start = int(rng.integers(0, -spare + 1))
    window[start : start + samples.size] = samples
    return window


def change_speed(samples: Floats, factor: float, length: int) -> Floats:
    """Tape speed, which raises pitch by the factor as well: [length] from the start."""
    if factor == 1:
        return samples[:length]
    places = np.arange(length) * factor
    return np.asarray(np.interp(places, np.arange(samples.size), samples), np.float32)


def shift(window: Floats, most: int, rng: np.random.Generator) -> Floats:
    """What leaves at one end comes back at the other: no event is lost, no silence is made."""
    return np.roll(window, int(rng.integers(-most, most + 1))) if most else window


def change_gain(window: Floats, most_db: float, rng: np.random.Generator) -> Floats:
    gain = np.float32(10 ** (rng.uniform(-most_db, most_db) / 20))
    return (window * gain).astype(np.float32)


def add_noise(window: Floats, least_snr_db: float | None, rng: np.random.Generator) -> Floats:
    """White noise under every second clip, from `least_snr_db` to 30 dB quieter than that."""
    if least_snr_db is None or rng.random() < 0.5:
        return window
    power = float(np.mean(np.square(window, dtype=np.float64)))
    snr_db = rng.uniform(least_snr_db, least_snr_db + 30)
    noise = rng.standard_normal(window.size, dtype=np.float32)
    return window + noise * np.float32(np.sqrt(power / 10 ** (snr_db / 10)))


@dataclass(frozen=True)
class WaveformAugment:
    """Clips of any length -> one augmented window each."""

    spec: AugmentSpec
    sample_rate_hz: int
    window_samples: int

    def __call__(self, samples: Floats, rng: np.random.Generator) -> Floats:
        factor = 1 + float(rng.uniform(-self.spec.speed, self.spec.speed))
        # No more of a long clip than the window takes at that speed.
        heard = fit_window(samples, math.ceil((self.window_samples - 1) * factor) + 1, rng)
        window = change_speed(heard, factor, self.window_samples)
        window = shift(window, round(self.spec.time_shift_s * self.sample_rate_hz), rng)
        window = change_gain(window, self.spec.gain_db, rng)
        return add_noise(window, self.spec.noise_snr_db, rng)


def mix_up(
    windows: Floats, targets: Floats, alpha: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Each clip of the batch mixed with another, and its label likewise (Zhang et al. 2018).

    windows [N, samples], targets [N, labels]. Waveforms rather than features: two machines heard
    together are a sound that exists.
    """
    if alpha == 0 or len(windows) < 2:
        return windows, targets
    share = rng.beta(alpha, alpha, (len(windows), 1)).astype(np.float32)
    share = np.maximum(share, 1 - share)
    other = rng.permutation(len(windows))
    mixed = share * windows + (1 - share) * windows[other]
    return mixed, share * targets + (1 - share) * targets[other]


def mix_background(windows: Floats, least_snr_db: float | None, rng: np.random.Generator) -> Floats:
    """windows [N, samples], every second one with another of the batch behind it, from
    `least_snr_db` to 20 dB quieter than that: too quiet to change what is asked for."""
    if least_snr_db is None or len(windows) < 2:
        return windows
    power = np.mean(np.square(windows, dtype=np.float64), axis=1)
    other = rng.permutation(len(windows))
    snr_db = rng.uniform(least_snr_db, least_snr_db + 20, len(windows))
    share = np.sqrt(power / np.maximum(power[other], 1e-12) / 10 ** (snr_db / 10))
    share *= rng.random(len(windows)) < 0.5
    # A clip that is all but silent would be made into thunder behind a loud one.
    share = np.minimum(share, 10.0).astype(np.float32)
    return np.asarray(windows + share[:, np.newaxis] * windows[other])


def colour(features: Floats, most_db: float, rng: np.random.Generator) -> Floats:
    """log-mels [N, mels, frames] as another microphone or room would have given them: bands up to
    `most_db` louder or softer, in a line from corner to corner (FilterAugment, Nam et al. 2022)."""
    if most_db == 0:
        return features
    coloured = np.empty_like(features)
    mels = features.shape[1]
    for clip, out in zip(features, coloured, strict=True):
        corners = np.sort(rng.uniform(0, mels - 1, int(rng.integers(1, 5))))
        places = np.concatenate([[0], corners, [mels - 1]])
        gain_db = rng.uniform(-most_db, most_db, len(places))
        line = np.interp(np.arange(mels), places, gain_db) * (np.log(10) / 10)
        np.add(clip, line.astype(np.float32)[:, np.newaxis], out=out)
    return coloured


def mask(features: Floats, spec: AugmentSpec, rng: np.random.Generator) -> Floats:
    """features [N, mels, frames] with bands and moments replaced by each clip's mean; those of
    another shape come back as they are, since no domain may want to mask them."""
    if not spec.freq_masks and not spec.time_masks:
        return features
    masked = features.copy()
    _, mels, frames = features.shape
    for clip in masked:
        mean = clip.mean()
        for _ in range(spec.freq_masks):
            start, stop = _span(mels, mels // 6, rng)
            clip[start:stop] = mean
        for _ in range(spec.time_masks):
            start, stop = _span(frames, frames // 6, rng)
            clip[:, start:stop] = mean
    return masked


def _span(size: int, most: int, rng: np.random.Generator) -> tuple[int, int]:
    width = int(rng.integers(0, most + 1))
    start = int(rng.integers(0, size - width + 1))
    return start, start + width
