"""A recording of hours -> blocks of its waveform, and the windows that the network hears of it.

Where a clip is decoded whole (`audio.py`), this reads a file from disk from front to back: never
more than a block and a window is in memory. libsndfile reads what it knows, FFmpeg (PyAV) the rest,
by the demuxer that the first bytes name.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from data.domains.sections import LimitSpec
from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.features import TAIL
from data.media.sniff import sniff
from data.media.waveform import EMPTY, MAX_CHANNELS, MAX_PEAK, MAX_RATE_HZ, MIN_RATE_HZ, Downmix

if TYPE_CHECKING:
    import av

    from data.media.readers import Forward

Float32 = NDArray[np.float32]

BY_SNDFILE = ("WAV", "W64", "FLAC", "MP3", "AIFF", "AU", "OGG")
HEAD_BYTES = 1024**2  # by which a file is known; tags with pictures stand in front of the sound
BLOCK_FRAMES = 1 << 16
GATHERED_FRAMES = 1 << 14  # of FFmpeg's frames of 20 ms
WORK_S = 10.0  # FFmpeg's between two blocks: a hostile file could keep it busy for ever


@dataclass
class RecordingStream:
    """`blocks` are mono [n] at the wanted rate, in order. `heard_s` grows as they are taken;
    `warning` says what is wrong with the rest of a recording that ends before its time."""

    container: str
    rate_hz: int  # as recorded
    channels: int
    declared_s: float | None  # by its header
    heard_s: float = 0.0
    warning: str = ""
    blocks: Iterator[Float32] = field(default_factory=lambda: iter(()))


Opened = tuple[RecordingStream, Iterator[Float32]]


@contextmanager
def open_recording(
    file: BinaryIO, limits: LimitSpec, sample_rate_hz: int | None = None
) -> Iterator[RecordingStream]:
    """Blocks at this rate, by default as recorded. Raises ClipTooLarge, UnsupportedClip or
    UndecodableClip: also while blocks are taken."""
    if (size := file.seek(0, os.SEEK_END)) > limits.max_recording_bytes:
        raise ClipTooLarge(
            f"the recording has {size:,} bytes; at most {limits.max_recording_bytes:,} are accepted"
        )
    file.seek(0)
    container = sniff(file.read(HEAD_BYTES))
    file.seek(0)
    with ExitStack() as stack:
        with _in_words(container):
            stream, blocks = _opened(stack, file, container)
        _must_be_within(stream, limits)
        stream.blocks = _resampled(
            _heard(stream, blocks, limits), stream.rate_hz, sample_rate_hz or stream.rate_hz
        )
        yield stream


def cut_windows(blocks: Iterator[Float32], length: int, hop: int) -> Iterator[tuple[int, Float32]]:
    """Each window [length] with the sample it begins at, every `hop` samples; cut as clips are
    (`features.windows`): the last one ends where the recording ends, and a recording that is
    shorter stands in the middle of silence, so that its window begins before 0."""
    start, held, before = 0, EMPTY, EMPTY
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= length:
            yield start, held[:length]
            before, held = held[:hop], held[hop:]
            start += hop
    if start == 0 and len(held):
        lead = (length - len(held)) // 2
        yield -lead, np.pad(held, (lead, length - len(held) - lead))
    elif start and len(held) - (length - hop) > TAIL * length:
        missing = length - len(held)
        yield start - missing, np.concatenate([before[-missing:], held])


@contextmanager
def _in_words(container: str) -> Iterator[None]:
    try:
        yield
    except ClipError:
        raise
    except Exception as error:  # decoders raise nearly anything
        raise UndecodableClip(
            f"this {container} file is damaged; the decoder says: {_words(error)}"
        ) from error


def _words(error: Exception) -> str:
    return str(getattr(error, "error_string", None) or getattr(error, "strerror", None) or error)


def _must_be_within(stream: RecordingStream, limits: LimitSpec) -> None:
    if stream.channels > MAX_CHANNELS:
        raise ClipTooLarge(
            f"the recording has {stream.channels} channels; at most {MAX_CHANNELS} are accepted"
        )
    if not MIN_RATE_HZ <= stream.rate_hz <= MAX_RATE_HZ:
        raise UndecodableClip(
            f"the recording has {stream.rate_hz:,} samples a second; {MIN_RATE_HZ:,} to "
            f"{MAX_RATE_HZ:,} are accepted"
        )
    if stream.declared_s is not None and stream.declared_s > limits.max_recording_s:
        raise _too_long(f"{stream.declared_s:,.0f} s", limits)


def _too_long(duration: str, limits: LimitSpec) -> ClipTooLarge:
    return ClipTooLarge(
        f"the recording lasts {duration}; at most {limits.max_recording_s:,g} s are accepted"
    )


def _heard(
    stream: RecordingStream, blocks: Iterator[Float32], limits: LimitSpec
) -> Iterator[Float32]:
    """Mono [n]. Damage further on only ends the recording."""
    with _in_words(stream.container):
        block = next(blocks, None)
    if block is None:
        raise UndecodableClip(f"this {stream.container} file holds no sound: 0 samples")
    mono = Downmix()
    while block is not None:
        stream.heard_s += len(block) / stream.rate_hz
        if stream.heard_s > limits.max_recording_s:
            raise _too_long("longer than it says", limits)
        yield _checked(mono(block), stream.container)
        try:
            block = next(blocks, None)
        except Exception as error:
            stream.warning = f"damaged after {stream.heard_s:.1f} s: {_words(error)}"
            return


def _checked(samples: Float32, container: str) -> Float32:
    if not np.abs(samples).max() <= MAX_PEAK:  # also true of what is not a number
        raise UndecodableClip(f"this {container} file holds samples that are no sound")
    return samples


def _resampled(blocks: Iterator[Float32], rate_hz: int, wanted_hz: int) -> Iterator[Float32]:
    if rate_hz == wanted_hz:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(EMPTY, last=True)


def _opened(stack: ExitStack, file: BinaryIO, container: str) -> Opened:
    """By libsndfile if it knows it; FFmpeg also reads what a recorder that lost power leaves."""
    if container in BY_SNDFILE:
        with suppress(ClipError, RuntimeError):  # libsndfile's own errors are of this kind
            return stack.enter_context(_open_sndfile(file, container))
        file.seek(0)
    return stack.enter_context(_open_av(file, container))


@contextmanager
def _open_sndfile(opened: BinaryIO, container: str) -> Iterator[Opened]:
    from data.media.readers import UNKNOWN_FRAMES, Forward  # and libsndfile, which clips do without

    with Forward(opened) as file:
        if not file.frames:
            raise UndecodableClip(f"this {container} file holds no sound: 0 samples")
        known = file.frames < UNKNOWN_FRAMES
        declared_s = file.frames / file.samplerate if known else None
        stream = RecordingStream(container, file.samplerate, file.channels, declared_s)
        yield stream, _sndfile_blocks(file)


def _sndfile_blocks(file: "Forward") -> Iterator[Float32]:
    while len(block := file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
        yield block


class _Rationed:
    """A file for FFmpeg, to be read for so much work of this thread, until it is `renew`ed."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell = file.seek, file.tell
        self._read: Callable[[int], bytes] = file.read
        self.renew()

    def renew(self) -> None:
        self._until_s = time.thread_time() + WORK_S

    def read(self, size: int) -> bytes:
        if time.thread_time() > self._until_s:
            raise TimeoutError("far too much work for its size")
        return self._read(size)


@contextmanager
def _open_av(opened: BinaryIO, container: str) -> Iterator[Opened]:
    import av  # 0.1 s and many megabytes that most replicas never need

    from data.media.readers import DEMUXERS, GUESSED, WITHOUT_DURATION

    rationed = _Rationed(opened)
    demuxer = DEMUXERS.get(container)
    options = {} if demuxer else {"format_whitelist": GUESSED}
    opening = av.open(rationed, format=demuxer, options=options, metadata_errors="ignore")
    with opening as file:
        if not file.streams.audio:
            raise UndecodableClip(f"this {container} file has no sound in it; send a recording")
        sound = file.streams.best("audio")
        frames = file.decode(sound)
        first = next(frames, None)  # headers do not always know the rate that comes out
        if first is None:
            raise UndecodableClip(f"this {container} file holds no sound: 0 samples")
        known = file.duration is not None and container not in WITHOUT_DURATION
        declared_s = file.duration / av.time_base if known else None
        channels = first.layout.nb_channels
        stream = RecordingStream(container, first.sample_rate, channels, declared_s)
        yield stream, _av_blocks(first, frames, rationed)


def _av_blocks(
    first: "av.AudioFrame", others: "Iterator[av.AudioFrame]", rationed: _Rationed
) -> Iterator[Float32]:
    """[frames, channels]. A resampler that resamples nothing makes floats side by side of every
    format, and refuses a stream that changes its channels or its rate midway."""
    import av

    packed = av.AudioResampler(format="flt")
    gathered: list[Float32] = []
    frame: av.AudioFrame | None = first
    while frame is not None:
        frame.pts = None  # gaps in time are no reason to refuse a recording
        for part in packed.resample(frame):
            gathered.append(part.to_ndarray().reshape(-1, first.layout.nb_channels))
        if sum(map(len, gathered)) >= GATHERED_FRAMES:
            yield np.concatenate(gathered)
            gathered = []
            rationed.renew()
        frame = next(others, None)
    if gathered:
        yield np.concatenate(gathered)
