"""Bytes -> waveform: decodes a recording of any common format, within limits.

Whatever the bytes are, the outcome is a `Recording` or a `ClipError` that says what is wrong.
The recording is decoded, mixed to mono and resampled block by block: nothing is ever held at its
full size but the result, so that a small file cannot become a big waveform.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import numpy as np
import soxr
from numpy.typing import NDArray

from data.domains.sections import LimitSpec
from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.readers import Source, open_source
from data.media.sniff import sniff

Float32 = NDArray[np.float32]

EMPTY: Float32 = np.zeros(0, np.float32)
MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000
MAX_VALUES_HZ = 192_000  # samples a second of all channels, over the longest duration
# Times full scale. 32-bit integers scaled wrongly come out near 32,768; training keeps waveforms
# in half precision, which ends at 65,504.
MAX_PEAK = 60_000.0


@dataclass(frozen=True)
class Recording:
    samples: Float32  # mono [T], full scale is 1 but lossy formats may exceed it
    sample_rate_hz: int
    source_rate_hz: int
    duration_s: float
    container: str


def decode(raw: bytes, *, sample_rate_hz: int, limits: LimitSpec) -> Recording:
    """Raises ClipTooLarge, UnsupportedClip or UndecodableClip, and nothing else."""
    if len(raw) > limits.max_bytes:
        raise ClipTooLarge(
            f"the clip has {len(raw):,} bytes; at most {limits.max_bytes:,} are accepted"
        )
    container = sniff(raw)
    with _decoder_errors(container), open_source(raw, container) as source:
        blocks = _mono(_bounded(source, limits))
        samples, frames = _resample(blocks, source.rate_hz, sample_rate_hz)
    if not len(samples):
        raise UndecodableClip(f"this {container} file holds no sound: {frames} samples")
    peak = max(float(samples.max()), -float(samples.min()))
    if not peak <= MAX_PEAK:  # also true of a peak that is not a number
        raise UndecodableClip(f"this {container} file holds samples that are no sound ({peak:g})")
    return Recording(samples, sample_rate_hz, source.rate_hz, frames / source.rate_hz, container)


@contextmanager
def _decoder_errors(container: str) -> Iterator[None]:
    """Damaged files make the decoders raise nearly anything; it all means the same."""
    try:
        yield
    except ClipError:
        raise
    except Exception as error:
        words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        if "not a regular file" in str(words):  # libsndfile, of an MP3 without a single frame
            words = "No sound found"
        raise UndecodableClip(
            f"this {container} file is damaged or cut off; the decoder says: {words}"
        ) from error


def _max_frames(source: Source, limits: LimitSpec) -> float:
    """Refuses what is too large by its own account, and says where decoding has to stop."""
    if source.channels > MAX_CHANNELS:
        raise ClipTooLarge(
            f"the clip has {source.channels} channels; at most {MAX_CHANNELS} are accepted"
        )
    if source.rate_hz > MAX_RATE_HZ:
        raise ClipTooLarge(
            f"the clip has {source.rate_hz:,} samples a second; "
            f"at most {MAX_RATE_HZ:,} are accepted"
        )
    if source.rate_hz < MIN_RATE_HZ:
        raise UndecodableClip(
            f"the clip has {source.rate_hz:,} samples a second; at least {MIN_RATE_HZ:,} are needed"
        )
    values_hz = source.rate_hz * source.channels
    max_s = limits.max_duration_s * min(1, MAX_VALUES_HZ / values_hz)
    if source.frames is not None and source.frames > max_s * source.rate_hz:
        raise _too_long(f"{source.frames / source.rate_hz:,.1f} s", max_s, limits)
    return max_s * source.rate_hz


def _too_long(duration: str, max_s: float, limits: LimitSpec) -> ClipTooLarge:
    narrower = "" if max_s == limits.max_duration_s else " at its sample rate and channels"
    return ClipTooLarge(f"the clip lasts {duration}; at most {max_s:g} s are accepted{narrower}")


def _bounded(source: Source, limits: LimitSpec) -> Iterator[Float32]:
    """Headers may be wrong about the duration: stops decoding at the limit."""
    max_frames = _max_frames(source, limits)
    frames = 0
    for block in source.blocks:
        frames += len(block)
        if frames > max_frames:
            raise _too_long("longer than it says", max_frames / source.rate_hz, limits)
        yield block


def _mono(blocks: Iterator[Float32]) -> Iterator[Float32]:
    for block in blocks:
        channels = block.shape[1]
        if channels == 1:
            yield block[:, 0]
        else:
            yield block @ np.full(channels, 1 / channels, np.float32)


def _resample(blocks: Iterator[Float32], rate_hz: int, wanted_hz: int) -> tuple[Float32, int]:
    """The waveform at the wanted rate, and the number of frames before."""
    if rate_hz == wanted_hz:
        samples = _join(list(blocks))
        return samples, len(samples)
    first, second = next(blocks, EMPTY), next(blocks, None)
    if second is None:  # most WAV files; a stream would give the same numbers more slowly
        return soxr.resample(first, rate_hz, wanted_hz), len(first)
    stream = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32")
    frames, out = 0, []
    for block in chain((first, second), blocks):
        frames += len(block)
        out.append(stream.resample_chunk(block))
    out.append(stream.resample_chunk(EMPTY, last=True))
    return _join(out), frames


def _join(blocks: list[Float32]) -> Float32:
    return blocks[0] if len(blocks) == 1 else np.concatenate([EMPTY, *blocks])
