"""Bytes -> blocks of samples: one reader for each way of decoding.

Plain PCM WAV is read straight from memory, eight times as fast as through a library and the most
common clip by far. libsndfile reads what it knows; FFmpeg (PyAV) reads what phones and browsers
send, and is imported when the first such clip arrives.
Samples are floats all the way, because decoders of lossy formats exceed full scale and integers
would wrap round.
"""

import io
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from data.errors import UndecodableClip

if TYPE_CHECKING:
    import av

Float32 = NDArray[np.float32]
Part = TypeVar("Part")

PCM_FRAMES, AV_FRAMES = 1 << 18, 1 << 14
UNKNOWN_FRAMES = (1 << 63) - 1  # what libsndfile says of a stream without a length
SNDFILE_FRAMES = 1 << 13  # it loses the block in which a file turns out to be cut off
HEADER_WORK_S, SOUND_WORK_S = 1.0, 10.0
MAX_CHUNKS = 100  # in front of the sound of a WAV; a hostile file has millions of empty ones
PCM, EXTENSIBLE = 1, 0xFFFE
PCM_GUID = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

# FFmpeg's name of the demuxer. Named, it is not guessed: the guess would also try play lists.
DEMUXERS = {
    "M4A": "mov",
    "MP4": "mov",
    "3GP": "mov",
    "WEBM": "matroska",
    "CAF": "caf",
    "AMR": "amr",
    "WMA": "asf",
    "AAC": "aac",
}
# Raw streams have no header that could tell: FFmpeg extrapolates from the first frames.
GUESSED_DURATION = ("AMR", "AAC")


@dataclass(frozen=True)
class Source:
    """A recording that is open for reading; `blocks` are [frames, channels]."""

    rate_hz: int
    channels: int
    frames: int | None  # as declared; None if the container does not say
    blocks: Iterator[Float32]


@contextmanager
def open_source(raw: bytes, container: str) -> Iterator[Source]:
    """Raises whatever the decoding library raises; damage further on only ends the blocks."""
    plain = _plain_wav(raw) if container == "WAV" else None
    if plain is not None:
        yield plain
        return
    read = _open_av if container in DEMUXERS else _open_sndfile
    with read(raw, container) as source:
        yield source


def _until_damaged(parts: Iterator[Part]) -> Iterator[Part]:
    """A recording that is cut off or damaged later on still has its beginning."""
    first = next(parts, None)
    if first is not None:
        yield first
        with suppress(Exception):
            yield from parts


def _plain_wav(raw: bytes) -> Source | None:
    """16-bit PCM, read without libsndfile; None for every other WAV."""
    layout, position = None, 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > len(raw):
            break
        name, size = struct.unpack_from("<4sI", raw, position)
        position += 8
        if name == b"fmt ":
            layout = _pcm16_layout(raw[position : position + min(size, 40)])
        elif name == b"data":
            return _pcm16(raw, position, size, layout) if layout else None
        position += size + size % 2
    return None


def _pcm16(raw: bytes, start: int, size: int, layout: tuple[int, int]) -> Source:
    """A recorder that was stopped leaves no sizes: its sound lasts until the end of the file."""
    rate_hz, channels = layout
    declared_file_size = struct.unpack_from("<I", raw, 4)[0] + 8
    unfinished = size == 0 and declared_file_size < len(raw)
    present = len(raw) - start
    frames = (present if unfinished else min(size, present)) // (2 * channels)
    return Source(rate_hz, channels, frames, _pcm16_blocks(raw, start, frames, channels))


def _pcm16_layout(chunk: bytes) -> tuple[int, int] | None:
    """Rate and channels of a `fmt ` chunk, if it describes 16-bit PCM."""
    if len(chunk) < 16:
        return None
    tag, channels, rate_hz, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    is_pcm = tag == PCM or (tag == EXTENSIBLE and chunk[24:40] == PCM_GUID)
    if is_pcm and bits == 16 and channels and frame_bytes == 2 * channels:
        return rate_hz, channels
    return None


def _pcm16_blocks(raw: bytes, start: int, frames: int, channels: int) -> Iterator[Float32]:
    values = np.frombuffer(raw, "<i2", frames * channels, start).reshape(frames, channels)
    for first in range(0, frames, PCM_FRAMES):
        block = values[first : first + PCM_FRAMES].astype(np.float32)
        block *= np.float32(1 / 32768)
        yield block


class _Memory(io.BytesIO):
    """Bytes as a file; a damaged header makes libsndfile seek before the start."""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


class _Rationed(io.BytesIO):
    """Bytes as a file for FFmpeg, which a hostile header could keep busy for a long time.

    Counts the time of this thread's work, so that a busy machine refuses nothing.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.allow(HEADER_WORK_S)

    def allow(self, work_s: float) -> None:
        self._until_s = time.thread_time() + work_s

    def read(self, size: int | None = -1) -> bytes:
        if time.thread_time() > self._until_s:
            raise TimeoutError("Far too much work for its size")
        return super().read(size)


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A file read from front to back; soundfile seeks after each read of a seekable one."""

    def seekable(self) -> bool:
        return False


@contextmanager
def _open_sndfile(raw: bytes, _container: str) -> Iterator[Source]:
    with _Forward(_Memory(raw)) as file:
        known = file.frames < UNKNOWN_FRAMES
        blocks = _until_damaged(_sndfile_blocks(file))
        yield Source(file.samplerate, file.channels, file.frames if known else None, blocks)


def _sndfile_blocks(file: _Forward) -> Iterator[Float32]:
    while len(block := file.read(SNDFILE_FRAMES, dtype="float32", always_2d=True)):
        yield block


@contextmanager
def _open_av(raw: bytes, container: str) -> Iterator[Source]:
    import av  # 0.1 s and many megabytes that most replicas never need

    rationed = _Rationed(raw)
    with av.open(rationed, format=DEMUXERS[container], metadata_errors="ignore") as file:
        if not file.streams.audio:
            raise UndecodableClip(f"this {container} file has no sound in it; send a recording")
        stream = file.streams.audio[0]
        frames = _until_damaged(file.decode(stream))
        first = next(frames, None)  # headers do not always know the rate that comes out
        if first is None:
            raise UndecodableClip(f"this {container} file holds no sound: 0 samples")
        rationed.allow(SOUND_WORK_S)
        rate_hz, channels = first.sample_rate, first.layout.nb_channels
        known = file.duration is not None and container not in GUESSED_DURATION
        declared = file.duration * rate_hz // 1_000_000 if known else None
        yield Source(rate_hz, channels, declared, _av_blocks(first, frames))


def _av_blocks(first: "av.AudioFrame", others: "Iterator[av.AudioFrame]") -> Iterator[Float32]:
    """Frames of 20 ms are gathered: handling each here would cost more than decoding it."""
    import av

    gathered, channels = av.AudioFifo(), first.layout.nb_channels
    for frame in chain((first,), others):
        if frame.sample_rate != first.sample_rate:
            raise UndecodableClip("the recording changes its sample rate midway")
        # A damaged stream changes its channels midway, which AudioFifo does not survive.
        changed = frame.layout.nb_channels != channels
        if gathered.samples and (changed or gathered.samples >= AV_FRAMES):
            yield _from_frame(gathered.read())
        if changed:
            gathered, channels = av.AudioFifo(), frame.layout.nb_channels
        frame.pts = None  # gaps in time are no reason to refuse a clip
        gathered.write(frame)
    if gathered.samples:
        yield _from_frame(gathered.read())


def _from_frame(frame: "av.AudioFrame") -> Float32:
    """[samples, channels], full scale is 1."""
    import av

    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= 8:
        # PyAV 18 reads beyond the list of planes of such a frame: a crash, not an exception.
        (frame,) = av.AudioResampler(format=frame.format.packed).resample(frame)
    values = frame.to_ndarray()
    samples = values.T if frame.format.is_planar else values.reshape(-1, channels)
    return _as_float(samples)


def _as_float(values: NDArray[Any]) -> Float32:
    samples = values.astype(np.float32)
    if values.dtype == np.uint8:  # unsigned
        samples -= 128
        samples /= 128
    elif values.dtype.kind == "i":
        samples /= -float(np.iinfo(values.dtype).min)
    return samples
