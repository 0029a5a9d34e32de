"""wav.py: plain WAV as libsndfile reads it, whatever its sizes say."""

import io
import struct

import numpy as np
import pytest
import soundfile

from data.media.audio.wav import open_plain, promised_share
from data.media.audio.waveform import Recording, recorded
from support.inputs.recordings import by_sndfile, tone

WAV = by_sndfile("WAV", "PCM_16")
UNKNOWN = b"\xff\xff\xff\xff"
ZERO = bytes(4)


def heard(raw: bytes) -> Recording:
    source = open_plain(raw)
    assert source is not None
    return recorded(source, 16000, 30)


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def sized(riff: bytes, data: bytes) -> bytes:
    return WAV[:4] + riff + WAV[8:40] + data + WAV[44:]


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "big-endian"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 5])
def test_plain_wav_is_heard_as_libsndfile_hears_it(
    container: str, subtype: str, channels: int
) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (999, channels)).astype(np.float32)
    out = io.BytesIO()
    kind, order = ("WAV", "BIG") if container == "big-endian" else (container, "FILE")
    soundfile.write(out, samples, 16000, format=kind, subtype=subtype, endian=order)
    raw = out.getvalue()
    theirs = soundfile.read(io.BytesIO(raw), dtype="float32", always_2d=True)[0].mean(axis=1)
    np.testing.assert_allclose(heard(raw).samples, theirs, atol=1e-7)


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (ZERO, ZERO),  # a recorder lost power
        (WAV[4:8], ZERO),  # or wrote the one size only
        (UNKNOWN, ZERO),
        (UNKNOWN, UNKNOWN),  # a program wrote into a pipe
        (WAV[4:8], b"\0\xf0\xff\x7f"),
    ],
)
def test_a_wav_that_was_never_finished_is_heard_whole(riff: bytes, data: bytes) -> None:
    recording = heard(sized(riff, data))
    assert recording.duration_s == 0.5
    assert recording.warnings == ()


def test_a_wav_without_sound_has_none_though_chunks_follow() -> None:
    source = open_plain(WAV[:40] + ZERO + chunk(b"LIST", b"INFO") + chunk(b"cue ", b"abcd"))
    assert source is not None
    assert source.frames == 0


@pytest.mark.parametrize("extra", [b"INFOpad\0", b"INFOx", bytes(400_000)])
@pytest.mark.parametrize("padded", [True, False])
def test_chunks_in_front_of_the_sound_are_passed_over(extra: bytes, padded: bool) -> None:
    between = chunk(b"LIST", extra) + b"\0" * (padded and len(extra) % 2)
    recording = heard(WAV[:36] + between + WAV[36:])
    np.testing.assert_array_equal(recording.samples, heard(WAV).samples)


def test_large_files_name_their_size_elsewhere() -> None:
    sizes = chunk(b"ds64", struct.pack("<QQQI", 0, len(WAV) - 44, 8000, 0))
    raw = (
        b"BW64" + UNKNOWN + b"WAVE" + sizes + WAV[12:40] + UNKNOWN + WAV[44:] + chunk(b"LIST", b"")
    )
    np.testing.assert_array_equal(heard(raw).samples, heard(WAV).samples)


def test_a_wav_that_was_cut_off_says_so() -> None:
    (words,) = heard(WAV[: len(WAV) // 2]).warnings
    assert "lasts 0.5 s, but only 0.2 s" in words


def test_what_needs_a_decoder_is_not_read_here() -> None:
    assert open_plain(by_sndfile("WAV", "IMA_ADPCM")) is None
    assert open_plain(by_sndfile("AIFF", "PCM_16")) is None


@pytest.mark.parametrize("container", ["WAV", "AIFF"])
def test_a_header_tells_how_much_is_missing(container: str) -> None:
    raw = by_sndfile(container, "PCM_16", tone(16000, 5))
    assert promised_share(raw) == 1
    assert promised_share(raw[: len(raw) // 2]) == pytest.approx(2, abs=0.01)
