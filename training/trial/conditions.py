"""Recording conditions that a correction may come from: another microphone, room or noise.

Each changes mono samples [T] at a rate and leaves the label true.
"""

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from data.arrays import Floats
from data.datasets.backgrounds import pink

Condition = Callable[[Floats, int, np.random.Generator], Floats]

TELEPHONE_HZ = (300.0, 3400.0)
MU = 255.0  # of ITU-T G.711's companding
REVERBERATION_S = 0.5  # until it has fallen by 60 dB
NOISE_SNR_DB = 5.0


def telephone(samples: Floats, rate_hz: int, _rng: np.random.Generator) -> Floats:
    """The band and the eight companded bits of a telephone."""
    low, high = TELEPHONE_HZ
    band = butter(4, (low, min(high, 0.45 * rate_hz)), "bandpass", fs=rate_hz, output="sos")
    heard = sosfilt(band, samples)
    peak = float(np.abs(heard).max()) or 1.0
    scaled = heard / peak
    companded = np.sign(scaled) * np.log1p(MU * np.abs(scaled)) / np.log1p(MU)
    levels = np.round(companded * 127) / 127
    expanded = np.sign(levels) * np.expm1(np.abs(levels) * np.log1p(MU)) / MU
    return np.asarray(expanded * peak, np.float32)


def room(samples: Floats, rate_hz: int, rng: np.random.Generator) -> Floats:
    """As much echo as direct sound, decaying exponentially."""
    times = np.arange(int(REVERBERATION_S * rate_hz)) / rate_hz
    echo = rng.standard_normal(len(times)) * np.exp(-np.log(1000) * times / REVERBERATION_S)
    echo /= np.linalg.norm(echo)
    echo[0] += 1
    return np.asarray(fftconvolve(samples, echo)[: len(samples)], np.float32)


def noise(samples: Floats, _rate_hz: int, rng: np.random.Generator) -> Floats:
    """Pink noise behind it."""
    behind = pink(len(samples), rng)
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return np.asarray(samples + behind * np.sqrt(power / 10 ** (NOISE_SNR_DB / 10)), np.float32)


CONDITIONS: dict[str, Condition] = {"telephone": telephone, "room": room, "noise": noise}
