"""Bytes -> waveform, and back: decodes a recording of any common format, within limits.

Whatever the bytes are, the outcome is a `Recording` or a `ClipError` that says what is wrong.
Plain WAV is read here; everything else in a process of its own, which a crafted file may fill,
keep busy or end, and nobody else notices.
"""

import io

import numpy as np
from numpy.typing import NDArray

from data.domains.sections import LimitSpec
from data.errors import ClipTooLarge
from data.media.audio.wav import open_plain
from data.media.audio.waveform import Recording, recorded
from data.media.decode_pool import WORK_S, ask
from data.media.sniff import after_tags, sniff

RESULTS = 4  # times the longest waveform: its blocks and their sum, for each of two decoders
WORK_SHARE = 0.05  # of the longest duration; the slowest codecs take 0.01


def decode(raw: bytes, *, sample_rate_hz: int, limits: LimitSpec) -> Recording:
    """Raises ClipTooLarge, UnsupportedClip or UndecodableClip, and nothing else."""
    if len(raw) > limits.max_bytes:
        raise ClipTooLarge(
            f"the clip has {len(raw):,} bytes; at most {limits.max_bytes:,} are accepted"
        )
    raw = after_tags(raw)
    plain = open_plain(raw)
    if plain is not None:
        return recorded(plain, sample_rate_hz, limits.max_duration_s)
    return _decoded(raw, sniff(raw), sample_rate_hz, limits.max_duration_s)


def _decoded(raw: bytes, container: str, sample_rate_hz: int, max_duration_s: float) -> Recording:
    facts, samples = ask(
        "recording",
        raw,
        work_s=WORK_S + WORK_SHARE * max_duration_s,
        memory_bytes=round(RESULTS * 4 * sample_rate_hz * max_duration_s),
        container=container,
        sample_rate_hz=sample_rate_hz,
        max_duration_s=max_duration_s,
    )
    return Recording(
        samples,
        sample_rate_hz,
        facts["source_rate_hz"],
        facts["duration_s"],
        facts["container"],
        tuple(facts["warnings"]),
    )


def encoded(
    samples: NDArray[np.floating], rate_hz: int, container: str = "WAV", subtype: str = "PCM_16"
) -> bytes:
    """A file of mono samples [T] in [-1, 1]; of 16 bits what is beyond is clipped."""
    import soundfile  # libsndfile, which a replica does without while it hears plain WAV

    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=container, subtype=subtype)
    return out.getvalue()
