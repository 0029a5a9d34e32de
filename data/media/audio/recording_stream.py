"""A recording of hours -> blocks of its waveform, and the windows that the network hears of it.

It is read from disk from front to back, by the decoders of clips: never more than a block and a
window is in memory. As of clips, plain WAV is read here, and everything else in a process of its
own.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from typing import BinaryIO

import numpy as np

from data.arrays import Floats
from data.domains.sections import LimitSpec
from data.errors import ClipTooLarge
from data.media import decode_pool
from data.media.audio.features import TAIL
from data.media.audio.wav import open_plain
from data.media.audio.waveform import EMPTY, RecordingStream, streamed
from data.media.sniff import after_tags, sniff

HEAD_BYTES = 64 * 1024  # by which a file is known


@contextmanager
def open_recording(
    file: BinaryIO, limits: LimitSpec, sample_rate_hz: int | None = None
) -> Iterator[RecordingStream]:
    """Blocks at this rate, by default as recorded, of a file on disk. Raises ClipTooLarge,
    UnsupportedClip or UndecodableClip: also while blocks are taken."""
    size, max_s = os.fstat(file.fileno()).st_size, limits.max_recording_s
    if size > limits.max_recording_bytes:
        raise ClipTooLarge(
            f"the recording has {size:,} bytes; at most {limits.max_recording_bytes:,} are accepted"
        )
    if not size:
        sniff(b"")
    mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    raw = after_tags(memoryview(mapped))
    if plain := open_plain(raw):
        stream = streamed(plain, sample_rate_hz or plain.rate_hz, max_s)
        stream.blocks = _let_go(stream.blocks, mapped)
        yield stream
        return
    asked = {
        "container": sniff(bytes(raw[:HEAD_BYTES])),
        "sample_rate_hz": sample_rate_hz,
        "max_duration_s": max_s,
    }
    with closing(decode_pool.stream(file, **asked)) as answers:
        yield _decoded(answers)


def _let_go(blocks: Iterator[Floats], mapped: mmap.mmap) -> Iterator[Floats]:
    """What was read of the file does not stay in memory."""
    for block in blocks:
        mapped.madvise(mmap.MADV_DONTNEED)
        yield block


def _decoded(answers: Iterator[decode_pool.Answer]) -> RecordingStream:
    first = facts, _ = next(answers)
    stream = RecordingStream(facts["container"], facts["source_rate_hz"], facts["declared_s"])

    def blocks() -> Iterator[Floats]:
        for facts, block in chain([first], answers):
            stream.duration_s, stream.warnings = facts["duration_s"], tuple(facts["warnings"])
            yield block

    stream.blocks = blocks()
    return stream


def cut_windows(blocks: Iterator[Floats], length: int, hop: int) -> Iterator[tuple[int, Floats]]:
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
