"""Decodes what it is sent, within bounds of memory and work; `decode_pool.py` starts it.

A line of JSON and the clip's bytes come in, a line of JSON and an array's bytes go out. Whatever
is decoded here can end or fill this process, and none but this one.
It ends by itself when nobody can ask any more.
"""

import json
import math
import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from data.errors import ClipError

MAX_FILES = 64
Found = tuple[Mapping[str, Any], NDArray[Any]]


def main() -> None:
    answers = _answers()
    _confine()
    answers.write(b"\n")  # it has started
    answers.flush()
    requests = sys.stdin.buffer
    while line := requests.readline():
        request = json.loads(line)
        _allow(request.pop("work_s"), request.pop("memory_bytes"))
        raw = requests.read(request.pop("bytes"))
        _send(answers, request, raw)


def _answers() -> IO[bytes]:
    """What libraries print must not get between the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _confine() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever asks
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))


def _allow(work_s: float, memory_bytes: int) -> None:
    """Work is counted in CPU, so that a busy machine ends nothing that is honest."""
    for kind, soft in (
        (resource.RLIMIT_CPU, math.ceil(time.process_time() + work_s)),
        (resource.RLIMIT_AS, memory_bytes),
    ):
        hard = resource.getrlimit(kind)[1]
        most = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
        resource.setrlimit(kind, (most, hard))


def _send(answers: IO[bytes], request: dict[str, Any], raw: bytes) -> None:
    try:
        facts, values = DECODERS[request.pop("kind")](raw, **request)
    except ClipError as error:
        answers.write(json.dumps({"error": type(error).__name__, "words": str(error)}).encode())
        answers.write(b"\n")
    else:
        shape = {"dtype": values.dtype.name, "shape": values.shape}
        answers.write(json.dumps({**facts, **shape}).encode() + b"\n")
        answers.write(np.ascontiguousarray(values).data)
    answers.flush()


def _recording(raw: bytes, **request: Any) -> Found:
    from data.media.decoders import decode_recording  # each kind brings libraries of its own

    found = decode_recording(raw, **request)
    return {
        "source_rate_hz": found.source_rate_hz,
        "duration_s": found.duration_s,
        "container": found.container,
        "warnings": found.warnings,
    }, found.samples


def _photograph(raw: bytes, **request: Any) -> Found:
    from data.media import image

    found = image.decode_here(raw, **request)
    facts = {"width_px": found.width_px, "height_px": found.height_px}
    return {**facts, "container": found.container}, found.pixels


def _mask(raw: bytes, **request: Any) -> Found:
    from data.media import image

    return {}, image.decode_mask_here(raw, **request)


DECODERS = {"recording": _recording, "photograph": _photograph, "mask": _mask}


if __name__ == "__main__":
    main()
