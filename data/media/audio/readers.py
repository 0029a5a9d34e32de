"""A file -> blocks of samples by libsndfile, or by FFmpeg (PyAV).

libsndfile reads what it knows exactly; FFmpeg reads what phones and browsers send and most of what
is broken, and is imported when the first such clip arrives. Both are C, fed with strangers' bytes:
this runs in a process of its own (`decode_process.py`).
Samples are floats all the way, because decoders of lossy formats exceed full scale and integers
would wrap round.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from data.arrays import Floats
from data.errors import ClipError, UndecodableClip
from data.media.audio.wav import promised_share
from data.media.audio.waveform import Source
from data.media.sniff import ACCEPTED, UNKNOWN, Raw

if TYPE_CHECKING:
    import av

Part = TypeVar("Part")

AV_FRAMES = 1 << 14
UNKNOWN_FRAMES = (1 << 63) - 1  # what libsndfile says of a stream without a length
SNDFILE_FRAMES = 1 << 13  # it loses the block in which a file turns out to be cut off
HEADER_WORK_S, BLOCK_WORK_S = 1.0, 10.0
# libsndfile may leave tags behind the sound unread; a second of it is more than this.
UNREAD_BYTES, UNREAD_SHARE = 4_096, 0.01
PADDED = "aac"  # a codec of frames of one size
# A container and a codec whose last packet is as short as its sound: FFmpeg would cut it once more.
CUT_TWICE = ("CAF", "alac")
BAD_PACKETS = 8  # more than good ones: where a stream was cut in, or two were joined

# FFmpeg's name of the demuxer. Named, it is not guessed.
DEMUXERS = {
    "M4A": "mov",
    "MP4": "mov",
    "3GP": "mov",
    "WEBM": "matroska",
    "CAF": "caf",
    "AMR": "amr",
    "WMA": "asf",
    "AAC": "aac",
    "WavPack": "wv",
    "AVI": "avi",
    "WAV": "wav",
    "W64": "w64",
    "FLAC": "flac",
    "OGG": "ogg",
    "AIFF": "aiff",
    "AU": "au",
}
# What else it may find. It knows many more, among them play lists, which would open other files.
GUESSED = (
    "mp3,aac,ac3,eac3,dts,truehd,loas,ape,tak,tta,mpc,mpc8,shn,dsf,oma,qcp,voc,iff,ircam,nistsphere,"
    "rm,flv,mpeg,mpegts"
)
# Raw streams have no header that could tell: FFmpeg extrapolates from the first frames.
WITHOUT_DURATION = ("AMR", "AAC", "MP3", UNKNOWN)


class Memory(io.RawIOBase):
    """Bytes, or a file that is mapped into memory, as a file, without a copy."""

    def __init__(self, raw: Raw) -> None:
        self._raw, self._at = memoryview(raw), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        part = self._raw[self._at : self._at + len(out)]
        out[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + (0, self._at, len(self._raw))[whence]
        self._at = at if at >= 0 else self._at  # as damaged headers make libsndfile do
        return self._at


class _Rationed(Memory):
    """For FFmpeg, which a hostile file could keep busy for a long time.

    Counts the time of this thread's work, so that a busy machine refuses nothing.
    """

    def __init__(self, raw: Raw) -> None:
        super().__init__(raw)
        self.allow(HEADER_WORK_S)

    def allow(self, work_s: float) -> None:
        self._until_s = time.thread_time() + work_s

    def readinto(self, out: Any) -> int:
        if time.thread_time() > self._until_s:
            raise TimeoutError("Far too much work for its size")
        return super().readinto(out)


class Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """A file read from front to back; soundfile seeks after each read of a seekable one."""

    def seekable(self) -> bool:
        return False


@contextmanager
def by_sndfile(raw: Raw, container: str) -> Iterator[Source]:
    """Raises whatever libsndfile raises; damage further on only ends the blocks."""
    file, allowed = Memory(raw), max(UNREAD_BYTES, UNREAD_SHARE * len(raw))

    def is_whole() -> bool:
        return len(raw) - file.tell() <= allowed

    with Forward(file) as sound:
        known = sound.frames < UNKNOWN_FRAMES
        blocks = _until_damaged(_sndfile_blocks(sound))
        frames = sound.frames if known else None
        promised = (frames or 0) * promised_share(raw)
        rate_hz, channels = sound.samplerate, sound.channels
        yield Source(container, rate_hz, channels, frames, blocks, promised, (), is_whole)


def _sndfile_blocks(file: Forward) -> Iterator[Floats]:
    while len(block := file.read(SNDFILE_FRAMES, dtype="float32", always_2d=True)):
        yield block


@contextmanager
def by_ffmpeg(raw: Raw, container: str) -> Iterator[Source]:
    """Raises whatever FFmpeg raises, and UndecodableClip where there is no sound to be had."""
    import av  # 0.1 s and many megabytes that most clips never need

    rationed = _Rationed(raw)
    options = {} if container in DEMUXERS else {"format_whitelist": GUESSED}
    demuxer = DEMUXERS.get(container)
    opened = av.open(
        rationed, format=demuxer, options=options, metadata_errors="ignore", io_open=refuse_to_open
    )
    with opened as file:
        name = container or file.format.name.split(",")[0].upper()
        stream, warnings = _track(file, name)
        stream.codec_context.thread_count = 1
        if (name, stream.codec_context.name) == CUT_TWICE:
            stream.codec_context.flags2 |= av.codec.context.Flags2.skip_manual
        frames = _until_damaged(_decoded(file, stream, name, warnings))
        first = next(frames, None)  # headers do not always know the rate that comes out
        if first is None:
            raise _undecoded(name, stream, "nothing")
        rationed.allow(BLOCK_WORK_S)
        rate_hz, channels = first.sample_rate, first.layout.nb_channels
        declared, promised = _durations_s(file, stream, container)
        yield Source(
            name,
            rate_hz,
            channels,
            None if declared is None else int(declared * rate_hz),
            _av_blocks(first, _at_rate(rate_hz, frames), rationed),
            promised * rate_hz,
            warnings,
        )


def refuse_to_open(*_args: object) -> None:
    raise PermissionError("a clip is one file, and opens no other")


def _track(file: "av.container.InputContainer", name: str) -> "tuple[av.AudioStream, list[str]]":
    """The track that a player plays: the first of those that are marked as default."""
    import av

    tracks = file.streams.audio
    if not tracks:
        raise UndecodableClip(f"this {name} file has no sound in it; send a recording")
    default = av.stream.Disposition.default
    place = next((n for n, track in enumerate(tracks) if track.disposition & default), 0)
    # Without a decoder there is no such context, which the types do not say.
    if getattr(tracks[place], "codec_context", None) is None:
        raise UndecodableClip(
            f"this {name} file holds sound of a kind that cannot be decoded, or that is encrypted; "
            f"send {ACCEPTED}"
        )
    many = f"the file has {len(tracks)} tracks of sound; track {place + 1} was heard"
    return tracks[place], [many] if len(tracks) > 1 else []


def _durations_s(
    file: "av.container.InputContainer", stream: "av.AudioStream", container: str
) -> tuple[float | None, float]:
    """As declared, if it is, and as promised for this track; 0 where a picture may last longer."""
    if file.duration is None or container in WITHOUT_DURATION:
        return None, 0.0
    declared = file.duration / 1_000_000
    if stream.duration is not None and stream.time_base is not None:
        return declared, float(stream.duration * stream.time_base)
    return declared, declared if len(file.streams) == 1 else 0.0


def _decoded(
    file: "av.container.InputContainer", stream: "av.AudioStream", name: str, warnings: list[str]
) -> "Iterator[av.AudioFrame]":
    """Passes over packets that are damaged, as a player does. Raises UndecodableClip where most
    are."""
    import av

    good, bad = 0, 0
    for number, packet in enumerate(file.demux(stream), 1):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            bad += 1
            if bad > good + BAD_PACKETS:
                break
            continue
        good += 1
        if number == stream.frames and stream.codec_context.name == PADDED:
            frames = [_without_padding(frame, packet) for frame in frames]
        yield from frames
    if bad > good:
        raise _undecoded(name, stream, "hardly anything")
    if bad:
        warnings.append(f"{bad} of {good + bad} pieces of the file are damaged and were left out")


def _without_padding(frame: "av.AudioFrame", packet: "av.Packet") -> "av.AudioFrame":
    """The last packet of an MP4 lasts as long as there is sound in it, its frame as all others;
    FFmpeg cuts that by itself from version 9 on."""
    import av

    if not packet.duration or packet.time_base is None:
        return frame
    lasts = round(packet.duration * packet.time_base * frame.sample_rate)
    if lasts >= frame.samples:
        return frame
    whole = av.AudioFifo()
    frame.pts = None
    whole.write(frame)
    return whole.read(lasts) or frame


def _undecoded(name: str, stream: "av.AudioStream", how_much: str) -> UndecodableClip:
    codec = stream.codec_context.codec.long_name
    return UndecodableClip(
        f"this {name} file holds {codec}, and {how_much} of it can be decoded: it is damaged, or "
        f"no file for this codec; send {ACCEPTED}"
    )


def _until_damaged(parts: Iterator[Part]) -> Iterator[Part]:
    """A recording that is cut off or damaged later on still has its beginning."""
    first = next(parts, None)
    if first is None:
        return
    yield first
    try:
        yield from parts
    except (ClipError, MemoryError):
        raise
    except Exception:
        return


def _at_rate(rate_hz: int, frames: "Iterator[av.AudioFrame]") -> "Iterator[av.AudioFrame]":
    """Streams that were joined may change their rate midway."""
    import av

    fit, kind = None, None
    for frame in frames:
        frame.pts = None  # gaps in time are no reason to refuse a clip
        if frame.sample_rate == rate_hz:
            yield frame
            continue
        if fit is None or kind != _kind(frame):
            fit = av.AudioResampler(frame.format, frame.layout, rate_hz)
            kind = _kind(frame)
        yield from fit.resample(frame)


def _kind(frame: "av.AudioFrame") -> tuple[object, ...]:
    """What has to be the same of frames that an AudioFifo gathers."""
    return frame.sample_rate, frame.layout.nb_channels, frame.format.name, frame.time_base


def _av_blocks(
    first: "av.AudioFrame", others: "Iterator[av.AudioFrame]", rationed: _Rationed
) -> Iterator[Floats]:
    """Frames of 20 ms are gathered: handling each here would cost more than decoding it."""
    import av

    gathered, kind = av.AudioFifo(), _kind(first)
    for frame in chain((first,), others):
        # A damaged stream changes its channels midway, which AudioFifo does not survive.
        changed = _kind(frame) != kind
        if gathered.samples and (changed or gathered.samples >= AV_FRAMES):
            yield _from_frame(gathered.read())
            rationed.allow(BLOCK_WORK_S)
        if changed:
            gathered, kind = av.AudioFifo(), _kind(frame)
        frame.pts = None
        gathered.write(frame)
    if gathered.samples:
        yield _from_frame(gathered.read())


def _from_frame(frame: "av.AudioFrame") -> Floats:
    """[samples, channels], full scale is 1."""
    import av

    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= 8:
        # PyAV 18 reads beyond the list of planes of such a frame: a crash, not an exception.
        (frame,) = av.AudioResampler(format=frame.format.packed).resample(frame)
    values = frame.to_ndarray()
    samples = values.T if frame.format.is_planar else values.reshape(-1, channels)
    return _as_float(samples)


def _as_float(values: NDArray[Any]) -> Floats:
    samples = values.astype(np.float32)
    if values.dtype == np.uint8:  # unsigned
        samples -= 128
        samples /= 128
    elif values.dtype.kind == "i":
        samples /= -float(np.iinfo(values.dtype).min)
    return samples
