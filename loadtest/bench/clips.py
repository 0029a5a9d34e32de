"""The clips that are sent, in the formats people send; the same bytes every time.

The noise in them is dense enough that FLAC and AAC have the work of a real recording.
"""

import io

import av
import numpy as np

from data.media.audio.recording import encoded
from loadtest.clip import Samples, tone

MAIN = "5s"


def made() -> dict[str, bytes]:
    """Name -> file; MAIN is 5 s of 16 bit at 16 kHz, 160 KB."""
    return {
        MAIN: encoded(tone(5, 16_000), 16_000),
        "1s": encoded(tone(1, 16_000), 16_000),
        "5s-44k": encoded(tone(5, 44_100), 44_100),
        "flac": encoded(tone(5, 16_000), 16_000, "FLAC"),
        "m4a": _m4a(tone(5, 44_100), 44_100),
    }


def _m4a(samples: Samples, rate_hz: int) -> bytes:
    """AAC as phones record it, one channel at 96 kbit/s."""
    out = io.BytesIO()
    with av.open(out, "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=rate_hz, layout="mono")
        stream.bit_rate = 96_000
        coder, planes = stream.codec_context, samples[np.newaxis].astype(np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        fit = av.AudioResampler(coder.format, coder.layout, rate_hz, coder.frame_size or 1024)
        for piece in [*fit.resample(frame), *fit.resample(None), None]:
            file.mux(stream.encode(piece))
    return out.getvalue()
