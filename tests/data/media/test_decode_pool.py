"""decode_pool.py: what a crafted file can do to the process that decodes it, and to no other."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.domains.sections import LimitSpec
from data.errors import DecoderKilled, UndecodableClip
from data.media import decode_pool
from data.media.audio.recording import decode
from support.inputs.recordings import by_sndfile

LIMITS = LimitSpec(max_bytes=10_000_000, max_duration_s=600)
WAV, FLAC = by_sndfile("WAV", "PCM_16"), by_sndfile("FLAC", "PCM_16")
SILENCE = by_sndfile("FLAC", "PCM_16", np.zeros(3_200_000, np.float32))


def heard_s(raw: bytes, sample_rate_hz: int = 16000) -> float:
    return decode(raw, sample_rate_hz=sample_rate_hz, limits=LIMITS).duration_s


def decoders() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if child.is_running() and "data.media.decode_process" in child.cmdline()
    ]


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[decode_pool.DecodePool]:
    """One of this test's own."""
    pool = decode_pool.DecodePool()
    monkeypatch.setitem(decode_pool._POOLS, os.getpid(), pool)
    yield pool
    for decoder in pool._idle:
        decoder.end()


def test_plain_wav_starts_no_process(pool: decode_pool.DecodePool) -> None:
    before = decoders()
    heard_s(WAV)
    assert decoders() == before
    heard_s(FLAC)
    assert len(decoders()) == len(before) + 1


def test_a_process_is_kept_for_the_next_clip(pool: decode_pool.DecodePool) -> None:
    heard_s(FLAC)
    before = decoders()
    assert [heard_s(FLAC) for _ in range(3)] == [0.5] * 3
    assert decoders() == before


def test_a_process_that_holds_a_thousand_connections_decodes_too(
    pool: decode_pool.DecodePool,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with ExitStack() as stack:
            while stack.enter_context(open(os.devnull, "rb")).fileno() < 1024:
                pass
            assert heard_s(FLAC) == 0.5
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_knows_no_secret(pool: decode_pool.DecodePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLTALE_ADMIN_KEY", "secret")
    monkeypatch.setenv("TELLTALE_SERVICE", "whose-it-is")
    before = decoders()
    heard_s(FLAC)
    (new,) = set(decoders()) - set(before)
    environment = Path(f"/proc/{new.pid}/environ").read_text()
    assert "whose-it-is" in environment
    assert "secret" not in environment


def test_a_small_file_that_takes_much_memory_is_refused(
    pool: decode_pool.DecodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as narrow:
        narrow.setattr("data.media.audio.recording.RESULTS", 0)
        narrow.setattr(decode_pool, "MEMORY_BYTES", 300_000_000)
        with pytest.raises(UndecodableClip, match="too much memory"):
            heard_s(SILENCE, 192_000)
    assert heard_s(FLAC) == 0.5


def test_a_small_file_that_takes_much_work_is_refused(
    pool: decode_pool.DecodePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as narrow:
        narrow.setattr("data.media.audio.recording.WORK_S", 0.01)
        narrow.setattr(decode_pool, "PATIENCE", 10_000)  # it is to be CPU that counts
        narrow.setattr("data.media.audio.recording.WORK_SHARE", 0.0)
        with pytest.raises(UndecodableClip, match="too much work"):
            heard_s(SILENCE, 768_000)  # seconds of CPU, which are limited in whole ones
    assert heard_s(FLAC) == 0.5


def test_a_process_that_dies_is_replaced(pool: decode_pool.DecodePool) -> None:
    before = decoders()
    heard_s(FLAC)
    (process,) = set(decoders()) - set(before)
    process.send_signal(signal.SIGSEGV)
    process.wait(10)
    assert heard_s(FLAC) == 0.5


def test_a_process_that_the_system_ends_is_no_fault_of_the_clip(
    pool: decode_pool.DecodePool,
) -> None:
    heard_s(FLAC)
    decoder = pool._idle[0]
    decoder._process.send_signal(signal.SIGKILL)
    with pytest.raises(DecoderKilled, match="send it again"):
        decoder.ask({"kind": "recording"}, FLAC, 1)
