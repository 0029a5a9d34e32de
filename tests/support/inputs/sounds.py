"""Clips that tests make themselves: every test has sound, whatever is on the machine."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

LOUDNESS = 0.3


def tone(hz: float = 440.0, seconds: float = 1.0, rate_hz: int = 16_000, seed: int = 0) -> bytes:
    """A WAV of a tone with a little noise; another seed gives other bytes of the same sound."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, 0.01, time.size)
    wave = LOUDNESS * np.sin(2 * np.pi * hz * time) + noise
    return wav(wave.astype(np.float32), rate_hz)


def bursts(seed: int, seconds: float = 3.0, rate_hz: int = 8_000) -> NDArray[np.float32]:
    """Sliding tones and noise of random lengths, [T]: as much happens as in a recording."""
    rng = np.random.default_rng(seed)
    pieces: list[NDArray[np.float64]] = []
    while sum(piece.size for piece in pieces) < seconds * rate_hz:
        time = np.arange(int(rng.uniform(0.05, 0.4) * rate_hz)) / rate_hz
        phase = 2 * np.pi * np.cumsum(rng.uniform(150, 3500) + 300 * time) / rate_hz
        noise = rng.standard_normal(time.size)
        pieces.append(rng.uniform(0.02, 0.5) * (np.sin(phase) + 0.3 * noise))
    return np.concatenate(pieces)[: int(seconds * rate_hz)].astype(np.float32)


def wav(samples: NDArray[np.floating], rate_hz: int = 16_000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format="WAV", subtype="PCM_16")
    return out.getvalue()
