"""Decodes what it is sent, within bounds of memory and work; `decode_pool.py` starts it.

A line of JSON and the clip's bytes come in, a line of JSON and an array's bytes go out; of a
recording of hours, which comes as an open file, one after another, each for a line. Whatever is
decoded here can end or fill this process, and none but this one.
It ends by itself when nobody can ask any more.
"""

import json
import math
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.arrays import Floats
from data.errors import ClipError

if TYPE_CHECKING:
    from data.media.audio.waveform import Recording, RecordingStream

MAX_FILES = 64
STREAM = "stream"
NOTHING = np.zeros(0, np.float32)
Found = tuple[Mapping[str, Any], NDArray[Any]]


def main() -> None:
    answers = _answers()
    confine()
    answers.write(b"\n")  # it has started
    answers.flush()
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        allow(resource.RLIMIT_AS, request.pop("memory_bytes"))
        allow_work(request["work_s"])
        raw = requests.read(request.pop("bytes"))
        _send(answers, request, raw)


def _answers() -> IO[bytes]:
    """What libraries print must not get between the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def confine() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))


def allow_work(work_s: float) -> None:
    """Counted in CPU, so that a busy machine ends nothing that is honest."""
    allow(resource.RLIMIT_CPU, math.ceil(time.process_time() + work_s))


def allow(kind: int, soft: int) -> None:
    hard = resource.getrlimit(kind)[1]
    most = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(kind, (most, hard))


def _send(answers: IO[bytes], request: dict[str, Any], raw: bytes) -> None:
    kind, work_s = request.pop("kind"), request.pop("work_s")
    try:
        if kind == STREAM:
            _stream(answers, work_s, **request)
        else:
            _answer(answers, *DECODERS[kind](raw, **request))
    except ClipError as error:
        _answer(answers, {"error": type(error).__name__, "words": str(error)}, NOTHING)


def _answer(answers: IO[bytes], facts: Mapping[str, Any], values: NDArray[Any]) -> None:
    shape = {"dtype": values.dtype.name, "shape": values.shape}
    answers.write(json.dumps({**facts, **shape}).encode() + b"\n")
    answers.write(np.ascontiguousarray(values).data)
    answers.flush()


def _stream(answers: IO[bytes], work_s: float, file: int, **request: Any) -> None:
    """Blocks, the empty ones too; behind them an answer with what is known only then."""
    from data.media.audio.decoders import decode_stream
    from data.media.sniff import after_tags

    mapped = mmap.mmap(file, 0, access=mmap.ACCESS_READ)

    def send(stream: "RecordingStream", block: Floats) -> None:
        facts = {**_facts(stream), "declared_s": stream.declared_s, "goes_on": True}
        _answer(answers, facts, block)
        mapped.madvise(mmap.MADV_DONTNEED)  # what was read
        if not sys.stdin.buffer.readline():
            sys.exit()
        allow_work(work_s)

    ended = decode_stream(after_tags(memoryview(mapped)), send=send, **request)
    _answer(answers, _facts(ended), NOTHING)


def _facts(found: "Recording | RecordingStream") -> dict[str, Any]:
    return {
        "source_rate_hz": found.source_rate_hz,
        "duration_s": found.duration_s,
        "container": found.container,
        "warnings": found.warnings,
    }


def _recording(raw: bytes, **request: Any) -> Found:
    from data.media.audio.decoders import decode_recording  # each kind brings libraries of its own

    found = decode_recording(raw, **request)
    return _facts(found), found.samples


def _photograph(raw: bytes, **request: Any) -> Found:
    from data.media.image import photograph

    found = photograph.decode_here(raw, **request)
    facts = {"width_px": found.width_px, "height_px": found.height_px}
    return {**facts, "container": found.container}, found.pixels


def _mask(raw: bytes, **request: Any) -> Found:
    from data.media.image import photograph

    return {}, photograph.decode_mask_here(raw, **request)


DECODERS = {"recording": _recording, "photograph": _photograph, "mask": _mask}


if __name__ == "__main__":
    main()
