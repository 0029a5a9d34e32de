"""The clip that load is made of, and the forms that carry it.

`TELLTALE_CLIP` names a recording; without one, five seconds of a tone in noise stand in: what is
heard in them is of no interest, what they weigh is that of a real clip.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import InvalidParameter
from data.media.audio.recording import encoded

Samples = NDArray[np.float32] | NDArray[np.float64]
BOUNDARY = "telltale-loadtest-boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
REFUSED = "refused"  # the line, in statistics, of answers 429 that say when to come back


def clip_from(environment: Mapping[str, str] = os.environ) -> bytes:
    """Raises InvalidParameter for a TELLTALE_CLIP that cannot be read."""
    named = environment.get("TELLTALE_CLIP", "")
    if not named:
        return tone_in_noise()
    try:
        return Path(named).read_bytes()
    except OSError as error:
        raise InvalidParameter(
            f"TELLTALE_CLIP={named!r} cannot be read ({error.strerror}); give the path of a "
            "recording, or leave it unset for a synthesised one"
        ) from error


def tone_in_noise(
    seconds: float = 5.0, rate_hz: int = 16_000, tone_hz: float = 440, seed: int | Sequence[int] = 0
) -> bytes:
    """A mono PCM16 WAV, the same bytes each time for the same seed."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(seed).normal(0, 0.05, time.size)
    return recording(0.3 * np.sin(2 * np.pi * tone_hz * time) + noise, rate_hz)


def recording(samples: Samples, rate_hz: int, container: str = "WAV") -> bytes:
    """Mono, of 16 bit, from samples in [-1, 1]; what is beyond is clipped."""
    return encoded(samples, rate_hz, container)


def form(field: str, clips: Sequence[bytes]) -> bytes:
    """The body of a multipart form with one part a clip; its type is FORM_TYPE."""
    parts = [_head(field, f"clip-{number}.wav") + clip for number, clip in enumerate(clips, 1)]
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _head(field: str, name: str) -> bytes:
    return (
        f"--{BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
