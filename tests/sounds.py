"""Clips that tests make themselves: every test has sound, whatever is on the machine."""

import io

import numpy as np
import soundfile

LOUDNESS = 0.3


def tone(hz: float = 440.0, seconds: float = 1.0, rate_hz: int = 16_000, seed: int = 0) -> bytes:
    """A WAV of a tone with a little noise; another seed gives other bytes of the same sound."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, 0.01, time.size)
    wave = LOUDNESS * np.sin(2 * np.pi * hz * time) + noise
    out = io.BytesIO()
    soundfile.write(out, wave.astype(np.float32), rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()
