"""One decoder after another, until a recording is whole.

libsndfile comes first, but for Opus. It is exact, but it stops where one stream ends and another
begins (chained OGG, joined MP3), and turns away many files that play. So what it leaves unread, or
does not find although the header promises it, FFmpeg is asked for, and the longer of the two is the
recording.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from itertools import chain, pairwise
from typing import Protocol, TypeVar

import numpy as np

from data.arrays import Floats
from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.audio.readers import by_ffmpeg, by_sndfile
from data.media.audio.waveform import (
    PADDING_SHARE,
    Downmix,
    Recording,
    RecordingStream,
    Source,
    is_shorter,
    recorded,
    resampled,
    streamed,
)
from data.media.sniff import UNKNOWN, Raw, no_sound

OGG_HEADER = 27  # bytes of a page's, up to the lengths of its segments
OPUS, OPUS_WITHIN = b"OpusHead", 64  # of a stream's first page


class DecodedAudio(Protocol):
    @property
    def duration_s(self) -> float: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...


H = TypeVar("H", bound=DecodedAudio)


def decode_recording(
    raw: Raw, container: str, sample_rate_hz: int, max_duration_s: float
) -> Recording:
    """Raises ClipTooLarge, UnsupportedClip or UndecodableClip."""
    return _longest(raw, container, lambda source: recorded(source, sample_rate_hz, max_duration_s))


def decode_stream(
    raw: Raw,
    container: str,
    sample_rate_hz: int | None,
    max_duration_s: float,
    send: Callable[[RecordingStream, Floats], None],
) -> RecordingStream:
    """`send` is given the blocks, at the recording's own rate if none is named. Where a second
    decoder is asked, what of its blocks comes behind those of the first; until then they are empty,
    so that it is seen to work. Raises as above."""
    sent, rate_hz = 0, sample_rate_hz

    def hear(source: Source) -> RecordingStream:
        nonlocal sent, rate_hz
        rate_hz = rate_hz or source.rate_hz
        stream, end = streamed(source, rate_hz, max_duration_s), 0
        for block in stream.blocks:
            start, end = end, end + len(block)
            send(stream, block[max(0, sent - start) :])
            sent = max(sent, end)
        return stream

    heard = _longest(raw, container, hear)
    if rate_hz:  # what one sent who then gave up, or was not the longer by much, is heard too
        heard.duration_s = max(heard.duration_s, sent / rate_hz)
    return heard


def _longest(raw: Raw, container: str, hear: Callable[[Source], H]) -> H:
    """By one decoder after another, until one has heard all of it."""
    best, refusal = None, None
    for attempt in _attempts(raw, container):
        try:
            with _errors_in_words(container), attempt(raw, container) as source:
                heard = hear(source)
                is_whole = source.is_whole() and not heard.warnings
        except ClipTooLarge:
            raise
        except MemoryError as error:
            if best is None:
                words = f"this {container} file takes far too much memory for its size"
                raise UndecodableClip(words) from error
            break
        except ClipError as error:
            refusal = error
            continue
        share = 0.0 if container == "OGG" else PADDING_SHARE  # a last link is no padding
        if best is None or is_shorter(best.duration_s, heard.duration_s, share):
            best = heard
        if is_whole:
            break
    if best is None:
        assert refusal is not None, container
        raise refusal
    return best


@contextmanager
def _by_links(raw: Raw, container: str) -> Iterator[Source]:
    """FFmpeg pads the links of a chain, and does not follow it from one rate, or number of
    channels, to another: they are heard one by one, at the rate of the first."""
    first, *others = _ogg_links(raw)
    whole: list[bool] = []
    with _by_link(first, container) as source:
        rate_hz = source.rate_hz
        following = _following(others, container, rate_hz, whole)
        blocks = chain(map(Downmix(), source.blocks), following)
        mono = (block[:, np.newaxis] for block in blocks)
        yield Source(
            container,
            rate_hz,
            1,
            None,
            mono,
            is_whole=lambda: bool(others) and all((source.is_whole(), *whole)),
        )


def _following(
    links: list[Raw], container: str, rate_hz: int, whole: list[bool]
) -> Iterator[Floats]:
    for link in links:
        with _by_link(link, container) as source:
            yield from resampled(map(Downmix(), source.blocks), source.rate_hz, rate_hz)
            whole.append(source.is_whole())


def _ogg_links(raw: Raw) -> list[Raw]:
    """The streams of a chained OGG: each begins with pages that say so."""
    raw, starts, position, was_start = memoryview(raw), [], 0, False
    while bytes(raw[position : position + 4]) == b"OggS" and position + OGG_HEADER <= len(raw):
        is_start = bool(raw[position + 5] & 2)
        if is_start and not was_start:
            starts.append(position)
        was_start = is_start
        table = position + OGG_HEADER
        segments = raw[table : table + raw[table - 1]]
        position += OGG_HEADER + len(segments) + sum(segments)
    return [raw[start:end] for start, end in pairwise([*starts, len(raw)])]


@contextmanager
def _unless_chained(raw: Raw, container: str) -> Iterator[Source]:
    with by_sndfile(raw, container) as source:
        yield replace(source, is_whole=lambda: source.is_whole() and len(_ogg_links(raw)) < 2)


def _is_opus(raw: Raw, container: str) -> bool:
    return container == "OGG" and OPUS in bytes(raw[:OPUS_WITHIN])


def _by_link(raw: Raw, container: str) -> AbstractContextManager[Source]:
    return (by_ffmpeg if _is_opus(raw, container) else by_sndfile)(raw, container)


Attempt = Callable[[Raw, str], AbstractContextManager[Source]]
ATTEMPTS: dict[str, tuple[Attempt, ...]] = {
    **dict.fromkeys(("WAV", "W64", "FLAC", "MP3", "AIFF", "AU"), (by_sndfile, by_ffmpeg)),
    "OGG": (_unless_chained, _by_links, by_ffmpeg),
    # As in WebM and MP4; libsndfile's decoder is another one, and at 48 kHz twice as slow.
    "Opus": (by_ffmpeg, by_sndfile),
    "Opus, chained": (_by_links, by_ffmpeg),
}


def _attempts(raw: Raw, container: str) -> tuple[Attempt, ...]:
    if _is_opus(raw, container):
        container = "Opus, chained" if len(_ogg_links(raw)) > 1 else "Opus"
    return ATTEMPTS.get(container, (by_ffmpeg,))


@contextmanager
def _errors_in_words(container: str) -> Iterator[None]:
    """Damaged files make the decoders raise nearly anything; it all means the same."""
    try:
        yield
    except (ClipError, MemoryError):
        raise
    except Exception as error:
        if container == UNKNOWN:
            raise no_sound() from error
        raise UndecodableClip(
            f"this {container} file is damaged or cut off; the decoder says: {_words(error)}"
        ) from error


def _words(error: Exception) -> str:
    words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
    if "not a regular file" in str(words):  # libsndfile, of an MP3 without a single frame
        return "No sound found"
    return str(words)
