"""Blocks of samples, whoever reads them -> the waveform that is asked for, within limits.

A recording is decoded, mixed to mono and resampled block by block: nothing is ever held at its full
size but the result of a clip, so that a small file cannot become a big waveform; of a recording of
hours not even that.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import soxr

from data.arrays import Floats
from data.errors import ClipTooLarge, UndecodableClip

EMPTY: Floats = np.zeros(0, np.float32)
MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000
MAX_VALUES_HZ = 192_000  # samples a second of all channels, over the longest duration
# Times full scale. 32-bit integers scaled wrongly come out near 32,768; training keeps waveforms
# in half precision, which ends at 65,504.
MAX_PEAK = 60_000.0
CANCELLED = 0.1  # of the channels' own power; of two that have nothing in common half is left
LOUDER = 10.0  # times the power, 10 dB: a steady recording's blocks differ by less
# Codecs pad and cut by this much at the ends; a header that is wrong by less promises nothing.
PADDING_S, PADDING_SHARE = 0.1, 0.02


@dataclass(frozen=True)
class Source:
    """A recording that is open for reading; `blocks` are [frames, channels], full scale is 1."""

    container: str
    rate_hz: int
    channels: int
    frames: int | None  # as declared; None if the container does not say
    blocks: Iterator[Floats]
    promised: float = 0.0  # frames by a header that knows; 0 where nothing is promised
    warnings: Sequence[str] = ()  # whole only when the blocks are at their end
    is_whole: Callable[[], bool] = lambda: True  # then: nothing of the file was left unread


@dataclass
class RecordingStream:
    """A recording as it is heard: `blocks` are mono [n], in order; `duration_s` and `warnings` grow
    as they are taken."""

    container: str
    source_rate_hz: int
    declared_s: float | None  # by its header
    blocks: Iterator[Floats] = field(default_factory=lambda: iter(()))
    duration_s: float = 0.0
    warnings: tuple[str, ...] = ()  # what a person should know of how it was heard


@dataclass(frozen=True)
class Recording:
    samples: Floats  # mono [T], full scale is 1 but lossy formats may exceed it
    sample_rate_hz: int
    source_rate_hz: int
    duration_s: float
    container: str
    warnings: tuple[str, ...] = ()


def recorded(source: Source, sample_rate_hz: int, max_duration_s: float) -> Recording:
    """All of it at once; raises as `streamed` does."""
    stream = streamed(source, sample_rate_hz, max_duration_s)
    samples = _join(list(stream.blocks))
    return Recording(
        samples,
        sample_rate_hz,
        stream.source_rate_hz,
        stream.duration_s,
        stream.container,
        stream.warnings,
    )


def streamed(source: Source, sample_rate_hz: int, max_duration_s: float) -> RecordingStream:
    """Raises ClipTooLarge or UndecodableClip, or whatever the source's blocks raise, also while
    blocks are taken."""
    max_s = _max_s(source, max_duration_s)
    declared_s = None if source.frames is None else source.frames / source.rate_hz
    stream = RecordingStream(source.container, source.rate_hz, declared_s)
    mono = map(Downmix(), _bounded(stream, source, max_s, max_duration_s))
    stream.blocks = _checked(stream, source, resampled(mono, source.rate_hz, sample_rate_hz))
    return stream


def _checked(stream: RecordingStream, source: Source, blocks: Iterator[Floats]) -> Iterator[Floats]:
    container, empty = source.container, True
    for block in blocks:
        if not len(block):
            continue
        empty, peak = False, max(float(block.max()), -float(block.min()))
        if not peak <= MAX_PEAK:  # also true of a peak that is not a number
            raise UndecodableClip(
                f"this {container} file holds samples that are no sound ({peak:g})"
            )
        yield block
    if empty:
        raise UndecodableClip(f"this {container} file holds no sound: 0 samples")
    stream.warnings = (*source.warnings, *_missing(source, stream.duration_s))


def is_shorter(duration_s: float, than_s: float, share: float = PADDING_SHARE) -> bool:
    """By more than what codecs pad."""
    return than_s - duration_s > max(PADDING_S, share * than_s)


def _missing(source: Source, came_s: float) -> tuple[str, ...]:
    promised_s = source.promised / source.rate_hz
    if not is_shorter(came_s, promised_s):
        return ()
    return (
        f"the file says that it lasts {promised_s:,.1f} s, but only {came_s:,.1f} s of sound are "
        "in it: it is cut off or damaged",
    )


def _max_s(source: Source, max_duration_s: float) -> float:
    """Refuses what is too large by its own account, and says where decoding has to stop."""
    if source.channels > MAX_CHANNELS:
        raise ClipTooLarge(
            f"the recording has {source.channels} channels; at most {MAX_CHANNELS} are accepted"
        )
    if source.rate_hz > MAX_RATE_HZ:
        raise ClipTooLarge(
            f"the recording has {source.rate_hz:,} samples a second; "
            f"at most {MAX_RATE_HZ:,} are accepted"
        )
    if source.rate_hz < MIN_RATE_HZ:
        raise UndecodableClip(
            f"the recording has {source.rate_hz:,} samples a second; at least {MIN_RATE_HZ:,} are "
            "needed"
        )
    values_hz = source.rate_hz * source.channels
    max_s = max_duration_s * min(1, MAX_VALUES_HZ / values_hz)
    if source.frames is not None and source.frames > max_s * source.rate_hz:
        raise _too_long(f"{source.frames / source.rate_hz:,.1f} s", max_s, max_duration_s)
    return max_s


def _too_long(duration: str, max_s: float, max_duration_s: float) -> ClipTooLarge:
    narrower = "" if max_s == max_duration_s else " at its sample rate and channels"
    return ClipTooLarge(
        f"the recording lasts {duration}; at most {max_s:,g} s are accepted{narrower}"
    )


def _bounded(
    stream: RecordingStream, source: Source, max_s: float, max_duration_s: float
) -> Iterator[Floats]:
    """Headers may be wrong about the duration: stops decoding at the limit."""
    frames = 0
    for block in source.blocks:
        frames += len(block)
        stream.duration_s = frames / source.rate_hz
        if frames > max_s * source.rate_hz:
            raise _too_long("longer than it says", max_s, max_duration_s)
        yield block


class Downmix:
    """Blocks [frames, channels] of one recording -> mono [frames]: the mean of the channels, or
    the loudest alone where they cancel each other out, as with one microphone wired the wrong way
    round. The first block with sound in it decides, and one that is far louder decides again: the
    noise before a sound says nothing of how the sound was wired. Nothing else changes midway."""

    def __init__(self) -> None:
        self._weights: Floats | None = None
        self._decided = 0.0  # the power of the block that decided

    def __call__(self, block: Floats) -> Floats:
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        power = float(np.linalg.norm(block)) ** 2 / max(1, block.size)
        weights = self._weights
        if weights is not None and len(weights) != channels:
            weights = None
        if weights is None and not power:
            return block[:, 0]
        if weights is None or power > LOUDER * self._decided:
            weights = _weights(block)
            self._weights, self._decided = weights, power
        return np.asarray(block @ weights)


def _weights(block: Floats) -> Floats:
    """From the products of the channels: a mean over an axis of two takes fifteen times as long."""
    frames, channels = block.shape
    products = (block.T @ block) / max(1, frames)
    power, together = products.diagonal(), float(products.sum()) / channels**2
    if together < CANCELLED * float(power.mean()):
        alone = np.zeros(channels, np.float32)
        alone[int(power.argmax())] = 1
        return alone
    return np.full(channels, 1 / channels, np.float32)


def resampled(blocks: Iterator[Floats], rate_hz: int, wanted_hz: int) -> Iterator[Floats]:
    """Mono blocks at the wanted rate."""
    if rate_hz == wanted_hz:
        yield from blocks
        return
    first, second = next(blocks, EMPTY), next(blocks, None)
    if second is None:  # most WAV files; a stream would give the same numbers more slowly
        yield soxr.resample(first, rate_hz, wanted_hz)
        return
    stream = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32")
    for block in chain((first, second), blocks):
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(EMPTY, last=True)


def _join(blocks: list[Floats]) -> Floats:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
