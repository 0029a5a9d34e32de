"""The clip that load is made of, in the formats that people send, and the forms that carry it.

Five seconds of a tone in noise: what is heard in them is of no interest, what they weigh is that of
a real clip, also as FLAC and AAC.
"""

import io
from collections.abc import Mapping, Sequence

import httpx
import numpy as np

from data.media.audio.recording import encoded

Seed = int | Sequence[int]
MAIN = "5s"
BOUNDARY = "telltale-loadtest-boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
REFUSED = "refused"  # the line, in statistics, of answers 429 that say when to come back


def tone_in_noise(
    seconds: float = 5, rate_hz: int = 16000, hz: int = 440, seed: Seed = 0, container: str = "WAV"
) -> bytes:
    """One channel of 16 bit; the same each time for the same seed."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, 0.05, time.size)
    return encoded(0.3 * np.sin(2 * np.pi * hz * time) + noise, rate_hz, container)


def in_formats() -> dict[str, bytes]:
    """Name -> file; MAIN is 5 s of 16 bit at 16 kHz, 160 KB."""
    return {
        MAIN: tone_in_noise(),
        "1s": tone_in_noise(1),
        "5s-44k": tone_in_noise(rate_hz=44_100),
        "flac": tone_in_noise(container="FLAC"),
        "m4a": _m4a(tone_in_noise(rate_hz=44_100), 44_100),
    }


def _m4a(sound: bytes, rate_hz: int) -> bytes:
    """AAC as phones record it, one channel at 96 kbit/s."""
    import av  # which only bench needs

    out = io.BytesIO()
    with av.open(io.BytesIO(sound)) as read, av.open(out, "w", format="ipod") as written:
        stream = written.add_stream("aac", rate=rate_hz, layout="mono")
        stream.bit_rate = 96_000
        for frame in [*read.decode(audio=0), None]:
            written.mux(stream.encode(frame))
    return out.getvalue()


def form(field: str, clips: Sequence[bytes], words: Mapping[str, Sequence[str]] = {}) -> bytes:
    """The body of a multipart form with one part a clip, beside `words`; its type is FORM_TYPE."""
    files = [(field, (f"clip-{number}.wav", clip)) for number, clip in enumerate(clips, 1)]
    headers = {"Content-Type": FORM_TYPE}
    return httpx.Request("POST", "http://any", data=words, files=files, headers=headers).read()
