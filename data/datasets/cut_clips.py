"""A recording and what is true of its parts -> a clip for each of them, on disk."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from data.arrays import Floats
from data.datasets.listing import Listed, readable
from data.datasets.selection_tables import Selection
from data.domains.domain import AudioDomain
from data.errors import InvalidParameter
from data.media.audio.recording_stream import open_recording
from data.media.audio.waveform import RecordingStream


@contextmanager
def cut_clips(
    recording: Path, selections: Sequence[Selection], domain: AudioDomain
) -> Iterator[list[Listed]]:
    """FLAC files, mono and at the recording's own rate, that are gone behind the block. All are one
    group, named as the recording: what is learnt from one part is no proof on another. Raises
    ClipError, and InvalidParameter for a selection that begins behind the recording's end."""
    with TemporaryDirectory(prefix="telltale-cut-") as folder:
        with recording.open("rb") as file, open_recording(file, domain.limits) as stream:
            listed = [
                _listed(Path(folder), number, selection, part, stream, readable(recording.name))
                for number, (selection, part) in enumerate(cut(stream, selections))
            ]
        if len(listed) < len(selections):
            late = max(selections)
            raise InvalidParameter(
                f"{late.label!r} at {late.start_s:g} s is behind the end of {recording.name}, "
                f"which lasts {stream.duration_s:.1f} s; are the labels of another recording?"
            )
        yield listed


def cut(
    stream: RecordingStream, selections: Sequence[Selection]
) -> Iterator[tuple[Selection, Floats]]:
    """Each with its samples [n], by their beginnings; those behind the end are left out. What is in
    memory is from the beginning of the first that is not cut yet."""
    waiting, start, held = sorted(selections), 0, np.zeros(0, np.float32)
    blocks = iter(stream.blocks)
    for selection in waiting:
        first, end = (
            round(s * stream.source_rate_hz) for s in (selection.start_s, selection.end_s)
        )
        while start + len(held) < end and (block := next(blocks, None)) is not None:
            past = min(max(0, first - start), len(held))
            start, held = start + past, np.concatenate([held[past:], block])
        part = held[max(0, first - start) : end - start]
        if len(part):
            yield selection, part


def _listed(
    folder: Path,
    number: int,
    selection: Selection,
    part: Floats,
    stream: RecordingStream,
    recording: str,
) -> Listed:
    path = folder / f"{number:06}.flac"
    soundfile.write(path, part, stream.source_rate_hz, subtype="PCM_16")
    name = f"{recording}, {selection.start_s:g} to {selection.end_s:g} s"
    return Listed(path, name, selection.label, recording, None)
