"""How loud a recording is, and the same recording as loud as its domain's network hears all.

The level of a recording says how far a microphone stood and how it was set, not what was heard: a
network that is given the level learns it, and answers otherwise when the same sound comes quieter.
"""

import math

import numpy as np

from data.arrays import Floats
from data.domains.sections import AudioInput

SILENCE_DBFS = -200.0  # what is said of digital silence, whose level has no logarithm
MOST_GAIN_DB = 80.0  # below lies the last bit of 16: there is nothing to be made louder


def level_dbfs(samples: Floats, window_samples: int) -> float:
    """Root mean square of the loudest window of a recording [T], or of all of it if it is shorter,
    in dB below full scale (a constant 1 has 0)."""
    if len(samples) <= window_samples:
        power = float(samples @ samples) / len(samples)
    else:
        # In double precision: the sum over an hour forgets what a quiet second adds to it.
        sums = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
        power = float((sums[window_samples:] - sums[:-window_samples]).max()) / window_samples
    return max(SILENCE_DBFS, 10 * math.log10(max(power, 1e-30)))


def at_loudness(samples: Floats, spec: AudioInput) -> tuple[Floats, float]:
    """A recording [T] at its domain's `loudness_dbfs`, by one gain, and the level in dBFS that it
    had; as it is where the domain says none. A constant offset is no sound and goes."""
    centred = samples - samples.mean()
    level = level_dbfs(centred, spec.window_samples)
    if spec.loudness_dbfs is None:
        return samples, level
    gain_db = min(spec.loudness_dbfs - level, MOST_GAIN_DB)
    centred *= np.float32(10 ** (gain_db / 20))
    return centred, level
