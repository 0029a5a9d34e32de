"""recording_stream.py: a recording from disk is heard as a clip is, a block at a time."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

import numpy as np
import pytest

from data.arrays import Floats
from data.domains.domain import load_domains, of_sounds
from data.domains.sections import LimitSpec
from data.errors import ClipTooLarge, UndecodableClip, UnsupportedClip
from data.media.audio.features import windows
from data.media.audio.recording import decode
from data.media.audio.recording_stream import cut_windows, open_recording
from data.media.audio.waveform import RecordingStream
from support.inputs.recordings import CLIPS, by_sndfile, tone

LIMITS = LimitSpec(max_bytes=1_000_000, max_duration_s=60)
HEARD = of_sounds(load_domains(names=("faults",))["faults"]).input


@contextmanager
def opened(
    raw: bytes, limits: LimitSpec = LIMITS, rate_hz: int | None = 16_000
) -> Iterator[RecordingStream]:
    with TemporaryFile() as file:
        file.write(raw)
        file.flush()
        with open_recording(file, limits, rate_hz) as stream:
            yield stream


def waveform(raw: bytes, limits: LimitSpec = LIMITS, rate_hz: int | None = 16_000) -> Floats:
    with opened(raw, limits, rate_hz) as stream:
        return np.concatenate(list(stream.blocks))


@pytest.mark.parametrize("name", ["WAV 24 bit", "WAV ADPCM", "MP3 with ID3 tag", "M4A", "WebM"])
def test_a_recording_sounds_as_a_clip_of_it_does(name: str) -> None:
    raw = CLIPS[name][1]()
    clip = decode(raw, sample_rate_hz=16_000, limits=LIMITS)
    np.testing.assert_allclose(waveform(raw), clip.samples, atol=1e-6)


def test_blocks_of_any_number_are_one_recording() -> None:
    raw = by_sndfile("FLAC", "PCM_16", tone(44_100, 9.0), 44_100)
    clip = decode(raw, sample_rate_hz=16_000, limits=LIMITS)
    np.testing.assert_allclose(waveform(raw), clip.samples, atol=1e-6)
    assert len(waveform(raw, rate_hz=None)) == 9 * 44_100


@pytest.mark.parametrize("riff_size", [0, None])
def test_what_a_recorder_without_power_left_is_heard(riff_size: int | None) -> None:
    raw = bytearray(by_sndfile("WAV", "PCM_16"))
    struct.pack_into("<I", raw, raw.index(b"data") + 4, 0)
    if riff_size is not None:
        struct.pack_into("<I", raw, 4, riff_size)
    assert len(waveform(bytes(raw))) == 8_000


@pytest.mark.parametrize("name", ["VORBIS", "OPUS"])
def test_chained_ogg_is_heard_to_the_end(name: str) -> None:
    links = by_sndfile("OGG", name, tone(16_000, 2.0)) * 2
    assert len(waveform(links)) == pytest.approx(64_000, abs=800)  # codecs pad


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_short_last_link_of_a_chain_is_heard_and_counted(rate_hz: int) -> None:
    links = by_sndfile("OGG", "VORBIS", tone(16_000, 20.0))
    links += by_sndfile("OGG", "VORBIS", tone(rate_hz, 0.3), rate_hz)
    with opened(links) as stream:
        assert sum(map(len, stream.blocks)) / 16_000 == pytest.approx(20.3, abs=0.01)
    assert stream.duration_s == pytest.approx(20.3, abs=0.01)
    assert decode(links, sample_rate_hz=16_000, limits=LIMITS).duration_s == stream.duration_s


def test_a_chain_whose_links_differ_in_rate_is_heard_to_the_end() -> None:
    other = by_sndfile("OGG", "VORBIS", np.stack([tone(44_100, 2.0)] * 2, axis=1), 44_100)
    samples = waveform(by_sndfile("OGG", "VORBIS", tone(16_000, 2.0)) + other)
    assert len(samples) == pytest.approx(64_000, abs=16)
    assert np.abs(samples[40_000:]).max() > 0.2


def test_damage_ends_a_recording_and_is_told() -> None:
    raw = by_sndfile("FLAC", "PCM_16", np.random.default_rng(0).normal(0, 0.1, 480_000))
    with opened(raw[: len(raw) // 2]) as stream:
        heard = sum(map(len, stream.blocks)) / 16_000
    assert 5 < heard < 16
    assert any("lasts 30.0 s" in words for words in stream.warnings), stream.warnings


def test_nothing_but_plain_wav_is_decoded_in_this_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("data.media.decode_pool.Decoder", None)
    assert len(waveform(by_sndfile("WAV", "PCM_24"))) == 8_000
    with pytest.raises(TypeError):
        waveform(by_sndfile("WAV", "MS_ADPCM"))


@pytest.mark.parametrize(
    ("raw", "error", "words"),
    [
        (b"%PDF-1.7 and so on", UnsupportedClip, "a PDF document"),
        (b"", UndecodableClip, "empty"),
        (by_sndfile("WAV", "PCM_16")[:44], UndecodableClip, "no sound"),
        (b"fLaC" + bytes(200), UndecodableClip, "damaged"),
        (
            by_sndfile("WAV", "FLOAT", np.full(8_000, np.nan, np.float32)),
            UndecodableClip,
            "no sound",
        ),
        (b"\0\0\0\x20ftypM4A ", UndecodableClip, "M4A file is damaged"),
    ],
)
def test_what_cannot_be_heard_is_said(raw: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        waveform(raw)


def test_limits_are_the_recordings_own() -> None:
    raw = by_sndfile("WAV", "PCM_16", tone(16_000, 3.0))
    assert len(waveform(raw, LIMITS.model_copy(update={"max_duration_s": 1}))) == 48_000
    with pytest.raises(ClipTooLarge, match=r"lasts 3\.0 s; at most 2 s"):
        waveform(raw, LIMITS.model_copy(update={"max_recording_s": 2}))
    with pytest.raises(ClipTooLarge, match="bytes; at most 50,000"):
        waveform(raw, LIMITS.model_copy(update={"max_recording_bytes": 50_000}))


@pytest.mark.parametrize("seconds", [0.5, 5.0, 5.05, 7.5, 12.0, 12.4])
def test_windows_are_cut_as_those_of_a_clip(seconds: float) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, round(16_000 * seconds)).astype(np.float32)
    blocks = iter(np.array_split(samples, 5))
    cut = list(cut_windows(blocks, HEARD.window_samples, HEARD.hop_samples))
    np.testing.assert_array_equal(np.stack([each for _, each in cut]), windows(samples, HEARD))
    assert cut[-1][0] + HEARD.window_samples >= len(samples) * 0.98
