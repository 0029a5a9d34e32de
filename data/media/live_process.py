"""Decodes one live stream, within bounds of memory and work; `live_decoder.py` starts it.

The bytes of an Ogg or WebM come in as they are recorded, 16-bit samples of one channel go out.
"""

import os
import resource
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from data.media.audio.readers import DEMUXERS, refuse_to_open
from data.media.decode_pool import MEMORY_BYTES, WORK_S
from data.media.decode_process import allow, allow_work, confine

if TYPE_CHECKING:
    import av


class Incoming:
    """What has come so far, without waiting for more; it cannot be sought in."""

    def read(self, size: int) -> bytes:
        return os.read(0, size)


def main() -> None:
    container, rate_hz = sys.argv[1], int(sys.argv[2])
    confine()
    allow(resource.RLIMIT_AS, MEMORY_BYTES)
    allow_work(WORK_S)
    import av

    demuxer = DEMUXERS[container]
    with (
        os.fdopen(os.dup(1), "wb") as samples,
        av.open(Incoming(), format=demuxer, buffer_size=4096, io_open=refuse_to_open) as file,
    ):
        for frame in _mono(_decoded(file), rate_hz):
            samples.write(frame.to_ndarray().tobytes())
            samples.flush()
            allow_work(WORK_S)


def _decoded(file: "av.container.InputContainer") -> "Iterator[av.AudioFrame]":
    """Passes over packets that are damaged, as a player does."""
    import av

    track = file.streams.audio[0]
    track.codec_context.thread_count = 1
    for packet in file.demux(track):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        yield from frames


def _mono(frames: "Iterator[av.AudioFrame]", rate_hz: int) -> "Iterator[av.AudioFrame]":
    """A link that follows on another may have other channels."""
    import av

    fit, kind = None, None
    for frame in frames:
        frame.pts = None
        if fit is None or kind != (frame.format.name, frame.layout.name, frame.sample_rate):
            if fit is not None:
                yield from fit.resample(None)
            fit = av.AudioResampler("s16", "mono", rate_hz)
            kind = frame.format.name, frame.layout.name, frame.sample_rate
        yield from fit.resample(frame)
    if fit is not None:
        yield from fit.resample(None)


if __name__ == "__main__":
    try:
        main()
    except Exception:  # whoever reads the samples says that it cannot be decoded
        sys.exit(1)
