"""The clips that are sent: a machine that never was, in the formats people send.

A motor's hum and its harmonics, a fan's noise swelling with the turns, a bearing that ticks:
dense enough that FLAC and AAC have the work of a real recording, and the same bytes every time.
"""

import io

import av
import numpy as np
from numpy.typing import NDArray

from data.media.audio import encoded

Samples = NDArray[np.float32]
MAIN = "5s"
SEED = 7


def made() -> dict[str, bytes]:
    """Name -> file; MAIN is 5 s of 16 bit at 16 kHz, 160 KB."""
    return {
        MAIN: encoded(machine(5, 16_000), 16_000),
        "1s": encoded(machine(1, 16_000), 16_000),
        "5s-44k": encoded(machine(5, 44_100), 44_100),
        "flac": encoded(machine(5, 16_000), 16_000, "FLAC"),
        "m4a": _m4a(machine(5, 44_100), 44_100),
    }


def machine(seconds: float, rate_hz: int) -> Samples:
    """[seconds * rate_hz], full scale is 1."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    hum = sum(np.sin(2 * np.pi * 49.7 * n * time + n * n) / n for n in range(1, 40))
    noise = np.random.default_rng(SEED).normal(0, 0.5, time.size)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3.1 * time)
    tick = np.exp(-400 * (time % 0.111)) * np.sin(2 * np.pi * 2900 * time)
    return np.asarray(0.15 * (hum + swell * noise + tick), np.float32)


def _m4a(samples: Samples, rate_hz: int) -> bytes:
    """AAC as phones record it, one channel at 96 kbit/s."""
    out = io.BytesIO()
    with av.open(out, "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=rate_hz, layout="mono")
        stream.bit_rate = 96_000
        coder = stream.codec_context
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        fit = av.AudioResampler(coder.format, coder.layout, rate_hz, coder.frame_size or 1024)
        for piece in [*fit.resample(frame), *fit.resample(None), None]:
            file.mux(stream.encode(piece))
    return out.getvalue()
