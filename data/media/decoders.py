"""One decoder after another, until a recording is whole.

libsndfile is exact, but it stops where one stream ends and another begins (chained OGG, joined
MP3), and turns away many files that play. So what it leaves unread, or does not find although the
header promises it, FFmpeg is asked for, and the longer of the two is the recording.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np

from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.readers import Memory, by_ffmpeg, by_sndfile
from data.media.sniff import UNKNOWN, no_sound
from data.media.waveform import Recording, is_shorter, recorded

# libsndfile may leave tags behind the sound unread; a second of it is more than this.
UNREAD_BYTES, UNREAD_SHARE = 4_096, 0.01

OGG_HEADER = 27  # bytes of a page's, up to the lengths of its segments

Heard = tuple[Recording, bool]  # and whether that is all there is to be heard
Attempt = Callable[[bytes, str, int, float], Heard]  # as `decode_recording`


def decode_recording(
    raw: bytes, container: str, sample_rate_hz: int, max_duration_s: float
) -> Recording:
    """Raises ClipTooLarge, UnsupportedClip or UndecodableClip."""
    best, refusal = None, None
    for attempt in ATTEMPTS.get(container, (_by_ffmpeg,)):
        try:
            with _errors_in_words(container):
                heard, is_whole = attempt(raw, container, sample_rate_hz, max_duration_s)
        except ClipTooLarge:
            raise
        except MemoryError as error:
            words = f"this {container} file takes far too much memory for its size"
            raise UndecodableClip(words) from error
        except ClipError as error:
            refusal = error
            continue
        if best is None or is_shorter(best.duration_s, heard.duration_s):
            best = heard
        if is_whole:
            break
    if best is None:
        assert refusal is not None, container
        raise refusal
    return best


def _by_sndfile(raw: bytes, container: str, sample_rate_hz: int, max_duration_s: float) -> Heard:
    file = Memory(raw)
    with by_sndfile(file, container) as source:
        found = recorded(source, sample_rate_hz, max_duration_s)
        unread = len(raw) - file.tell() > max(UNREAD_BYTES, UNREAD_SHARE * len(raw))
        return found, not (found.warnings or unread or len(_ogg_links(raw)) > 1)


def _by_ffmpeg(raw: bytes, container: str, sample_rate_hz: int, max_duration_s: float) -> Heard:
    with by_ffmpeg(raw, container) as source:
        found = recorded(source, sample_rate_hz, max_duration_s)
        return found, not found.warnings


def _by_links(raw: bytes, container: str, sample_rate_hz: int, max_duration_s: float) -> Heard:
    """FFmpeg does not follow a chain from one rate, or number of channels, to another."""
    parts: list[Recording] = []
    for link in _ogg_links(raw):
        parts.append(_by_sndfile(link, container, sample_rate_hz, max_duration_s)[0])
        duration_s = sum(part.duration_s for part in parts)
        if duration_s > max_duration_s:
            raise ClipTooLarge(
                f"the clip's {len(parts)} parts last {duration_s:,.1f} s or more; at most "
                f"{max_duration_s:g} s are accepted"
            )
    samples = np.concatenate([part.samples for part in parts])
    return replace(parts[0], samples=samples, duration_s=duration_s), True


def _ogg_links(raw: bytes) -> list[bytes]:
    """The streams of a chained OGG: each begins with pages that say so."""
    starts, position, was_start = [], 0, False
    while raw.startswith(b"OggS", position) and position + OGG_HEADER <= len(raw):
        is_start = bool(raw[position + 5] & 2)
        if is_start and not was_start:
            starts.append(position)
        was_start = is_start
        table = position + OGG_HEADER
        segments = raw[table : table + raw[table - 1]]
        position += OGG_HEADER + len(segments) + sum(segments)
    return [raw[start:end] for start, end in pairwise([*starts, len(raw)])]


EXACT = (_by_sndfile, _by_ffmpeg)
ATTEMPTS: dict[str, tuple[Attempt, ...]] = {
    **dict.fromkeys(("WAV", "W64", "FLAC", "MP3", "AIFF", "AU"), EXACT),
    "OGG": (*EXACT, _by_links),
}


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
