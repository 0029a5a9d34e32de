"""Processes that decode what may be crafted: bounded in memory and work, replaced where they end.

They are started when the first clip comes that needs one, and kept: a clip pays two pipes, not a
start. What comes back is JSON and the bytes of an array, nothing that could run here.
"""

import atexit
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fcntl import fcntl
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from data import errors

Answer = tuple[dict[str, Any], NDArray[Any]]  # what is known of it, and its array

PROCESSES = 2  # one for the caller in a hurry while another's upload is decoded
WORK_S = 10.0  # of CPU, whatever is decoded
PATIENCE = 10  # times the work: a decoder that waits for something, which none should
MEMORY_BYTES = 1 << 29  # addresses; 205 MiB of them are libraries
MEMORY_TIMES = 4  # the clip's own bytes
PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031  # Linux fcntl(2), which Python does not name on every system
# What a program needs to start, and what tells whose it is; no secret is among it.
ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TELLTALE_SERVICE")
# A machine of many cores would take the addresses for threads and what they allocate.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
TYPES = {"float32": np.float32, "uint8": np.uint8, "bool": np.bool_}  # and no Python objects
REFUSALS: dict[str, type[errors.ClipError]] = {
    kind.__name__: kind
    for kind in (errors.ClipTooLarge, errors.UnsupportedClip, errors.UndecodableClip)
}


def ask(
    kind: str, raw: bytes, *, work_s: float = WORK_S, memory_bytes: int = 0, **request: object
) -> Answer:
    """What decoding `raw` as this kind (`DECODERS` of the process) found, and its array. Of the
    memory only what the result takes is to be named. Raises a ClipError."""
    memory_bytes += MEMORY_BYTES + MEMORY_TIMES * len(raw)
    head = {**request, "kind": kind, "work_s": work_s, "memory_bytes": memory_bytes}
    # A process that was forked from this one must not read the answers to this one.
    pool = _POOLS.get(os.getpid())
    if pool is None:
        pool = _POOLS.setdefault(os.getpid(), DecodePool())  # another thread may be first
        atexit.register(_end)  # else Python complains of children that are left behind
    return _found(pool.ask(head, raw, PATIENCE * work_s))


def stream(file: BinaryIO, **request: object) -> Generator[Answer]:
    """The blocks of a recording of any length, in a process of its own for as long as it lasts: no
    clip waits for it. Behind them one without samples, with what is known only then. Raises a
    ClipError."""
    memory_bytes = MEMORY_BYTES + os.fstat(file.fileno()).st_size
    head = {**request, "kind": "stream", "work_s": WORK_S, "memory_bytes": memory_bytes}
    decoder = Decoder(file.fileno())
    try:
        with _ending_in_words(head):
            decoder.tell({**head, "file": file.fileno()}, b"")
            while (found := _found(decoder.answer(PATIENCE * WORK_S)))[0].get("goes_on"):
                decoder.tell({}, b"")  # it decodes on while this block is heard
                if len(found[1]):
                    yield found
            yield found
    finally:
        decoder.end()


def _found(answer: Answer) -> Answer:
    facts, _ = answer
    if "error" in facts:
        raise REFUSALS[facts["error"]](facts["words"])
    return answer


class Ended(Exception):
    """A decoder that ended in the middle of a clip, and how."""


@contextmanager
def _ending_in_words(head: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except Ended as ended:
        kind = head.get("container") or head["kind"]
        raise errors.UndecodableClip(
            f"this {kind} file is damaged, or made to do harm: {ended}"
        ) from ended


class DecodePool:
    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(PROCESSES)
        self._idle: list[Decoder] = []

    def ask(self, head: dict[str, Any], raw: bytes, patience_s: float) -> Answer:
        with _ending_in_words(head), self._lent() as decoder:
            return decoder.ask(head, raw, patience_s)

    @contextmanager
    def _lent(self) -> "Iterator[Decoder]":
        with self._places:
            decoder = self._taken()
            try:
                yield decoder
            except BaseException:
                decoder.end()  # the rest of its answer belongs to nobody
                raise
            self._idle.append(decoder)

    def _taken(self) -> "Decoder":
        while self._idle:
            decoder = self._idle.pop()
            if decoder.is_alive():
                return decoder
            decoder.end()
        return Decoder()

    def end(self) -> None:
        while self._idle:
            self._idle.pop().end()


def decoding_process(module: str, *arguments: str, **streams: Any) -> "subprocess.Popen[bytes]":
    """Of nothing but what decoding needs of the environment; `streams` are Popen's."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        cwd=Path(__file__).parents[2],
        env={**environment, **ONE_THREAD},
        **streams,
    )


class Decoder:
    """A process that decodes one clip at a time; of our open files it has the ones that are named.
    `tell` and `answer` raise Ended where the clip has ended it, or DecoderKilled where the system
    has."""

    def __init__(self, *files: int) -> None:
        self._process = decoding_process(
            "data.media.decode_process",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=files,
        )
        assert self._process.stdin is not None
        assert isinstance(self._process.stdout, io.BufferedReader)
        self._requests, self._answers = self._process.stdin, self._process.stdout
        for pipe in (self._requests, self._answers):
            with suppress(OSError):  # not every system or account may have them larger
                fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES)
        if self._answers.readline() != b"\n":
            self.end()
            raise RuntimeError("the process that decodes clips did not start; see its output")

    def ask(self, head: dict[str, Any], raw: bytes, patience_s: float) -> Answer:
        self.tell(head, raw)
        return self.answer(patience_s)

    def tell(self, head: dict[str, Any], raw: bytes) -> None:
        try:
            self._requests.write(json.dumps({**head, "bytes": len(raw)}).encode() + b"\n")
            self._requests.write(raw)
            self._requests.flush()
        except BrokenPipeError as error:
            raise self._how_it_ended() from error

    def answer(self, patience_s: float) -> Answer:
        waiting = select.poll()  # select() knows no file above 1,023
        waiting.register(self._answers, select.POLLIN)
        if not waiting.poll(1000 * patience_s):
            raise Ended("decoding it does not end")
        line = self._answers.readline()
        if not line:
            raise self._how_it_ended()
        facts = json.loads(line)
        values = np.empty(facts["shape"], TYPES[facts["dtype"]])
        if self._answers.readinto(values.reshape(-1).view(np.uint8).data) < values.nbytes:
            raise self._how_it_ended()
        return facts, values

    def _how_it_ended(self) -> Exception:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            words = "the system ended what was decoding the clip; send it again"
            return errors.DecoderKilled(words)
        if code == -signal.SIGXCPU:
            return Ended("it takes far too much work for its size")
        return Ended("its decoder gave up")

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        with suppress(BrokenPipeError):
            self._requests.close()
        self._answers.close()


_POOLS: dict[int, DecodePool] = {}


def _end() -> None:
    if pool := _POOLS.pop(os.getpid(), None):
        pool.end()
