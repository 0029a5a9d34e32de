"""recording_stream.py: a recording from disk is heard as a clip is, a block at a time."""

import io
import struct

import numpy as np
import pytest

from data.domains.domain import load_domains, of_sounds
from data.domains.sections import LimitSpec
from data.errors import ClipTooLarge, UndecodableClip, UnsupportedClip
from data.media.audio import decode
from data.media.features import Float32, windows
from data.media.recording_stream import cut_windows, open_recording
from support.inputs.recordings import CLIPS, by_sndfile, tone

LIMITS = LimitSpec(max_bytes=1_000_000, max_duration_s=60)
HEARD = of_sounds(load_domains(names=("faults",))["faults"]).input


def waveform(raw: bytes, limits: LimitSpec = LIMITS, rate_hz: int | None = 16_000) -> Float32:
    with open_recording(io.BytesIO(raw), limits, rate_hz) as stream:
        return np.concatenate(list(stream.blocks))


@pytest.mark.parametrize("name", CLIPS)
def test_every_format_sounds_as_a_clip_of_it_does(name: str) -> None:
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


def test_damage_ends_a_recording_and_is_told() -> None:
    raw = by_sndfile("FLAC", "PCM_16", np.random.default_rng(0).normal(0, 0.1, 480_000))
    cut = raw[: len(raw) // 2]
    with open_recording(io.BytesIO(cut), LIMITS) as stream:
        heard = sum(map(len, stream.blocks)) / 16_000
    assert 5 < heard < 16


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
    ],
)
def test_what_cannot_be_heard_is_said(raw: bytes, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        waveform(raw)


def test_limits_are_the_recordings_own() -> None:
    raw = by_sndfile("WAV", "PCM_16", tone(16_000, 3.0))
    assert len(waveform(raw, LIMITS.model_copy(update={"max_duration_s": 1}))) == 48_000
    with pytest.raises(ClipTooLarge, match=r"lasts 3 s; at most 2 s"):
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
