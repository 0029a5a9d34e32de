"""Decoding: any common sound file becomes a waveform, anything else an error in words."""

import random
import time
from contextlib import suppress

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from data.domains.sections import LimitSpec
from data.errors import ClipError, ClipTooLarge, UndecodableClip
from data.media.audio.decoders import decode_recording
from data.media.audio.recording import decode
from data.media.audio.waveform import Recording
from support.inputs.recordings import CLIPS, TONE_HZ, Maker, by_ffmpeg, by_sndfile, tone

LIMITS = LimitSpec(max_bytes=10_000_000, max_duration_s=30)


def heard(raw: bytes, limits: LimitSpec = LIMITS) -> Recording:
    return decode(raw, sample_rate_hz=16000, limits=limits)


def loudest_hz(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * 16000 / len(samples))


@pytest.mark.parametrize("name", CLIPS)
def test_a_recording_of_every_format_is_heard(name: str) -> None:
    container, make = CLIPS[name]
    recording = heard(make())
    assert recording.container == container
    assert recording.samples.dtype == np.float32
    assert recording.samples.ndim == 1
    assert recording.duration_s == pytest.approx(0.5, abs=0.08)  # codecs pad
    assert len(recording.samples) == pytest.approx(16000 * recording.duration_s, abs=1)
    assert loudest_hz(recording.samples) == pytest.approx(TONE_HZ, abs=5)
    assert np.abs(recording.samples).max() == pytest.approx(0.3, abs=0.15)


WAV = by_sndfile("WAV", "PCM_16")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty"),
        (WAV[:10], "cut off"),
        (WAV[:20], "damaged or cut off"),
        (WAV[:44], "0 samples"),
        (by_sndfile("WAV", "PCM_16", tone(16000)[:0]), "0 samples"),
        (by_sndfile("WAV", "FLOAT", np.full(99, np.nan, np.float32)), "nan"),
        (by_sndfile("WAV", "FLOAT", np.array([0, -np.inf, 0], np.float32)), "inf"),
        (by_sndfile("WAV", "FLOAT", np.full(99, 1e20, np.float32)), "no sound"),
        (by_sndfile("WAV", "PCM_16", rate_hz=500), "500 samples a second; at least 1,000"),
        (by_ffmpeg("mp4", "", 0, "video", sound=False), "no sound in it"),
        (b"\0\0\0\x20ftypM4A ", "M4A file is damaged"),
    ],
)
def test_a_damaged_clip_is_refused_in_words(raw: bytes, words: str) -> None:
    with pytest.raises(UndecodableClip, match=words):
        heard(raw)


@pytest.mark.parametrize("name", sorted(set(CLIPS) - {"AMR"}))  # where any bytes are sound
def test_noise_behind_a_valid_beginning_is_refused(name: str) -> None:
    raw = CLIPS[name][1]()[:12] + random.Random(0).randbytes(4000)
    with pytest.raises(ClipError):
        heard(raw)


@pytest.mark.parametrize("name", ["WAV 16 bit", "WAV float", "FLAC", "MP3", "AMR", "AAC"])
def test_a_clip_cut_short_is_heard_as_far_as_it_goes(name: str) -> None:
    whole = CLIPS[name][1]()
    recording = heard(whole[: len(whole) * 3 // 4])
    assert 0.15 < recording.duration_s < 0.45


@pytest.mark.parametrize("name", ["FLOAT", "VORBIS"])
def test_peaks_above_full_scale_survive(name: str) -> None:
    container = "OGG" if name == "VORBIS" else "WAV"
    square = 1.5 * np.sign(tone(16000))
    samples = heard(by_sndfile(container, name, square)).samples
    assert samples.max() > 1.2
    assert np.abs(np.diff(samples)).max() < 3.5  # nothing wrapped round


def test_channels_are_averaged() -> None:
    left_only = np.stack([tone(16000), np.zeros(8000)], axis=1).astype(np.float32)
    samples = heard(by_sndfile("FLAC", "PCM_16", left_only)).samples
    np.testing.assert_allclose(samples, tone(16000) / 2, atol=1e-4)


def test_resampling_in_blocks_equals_resampling_at_once() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 441_000).astype(np.float32)
    recording = heard(by_sndfile("WAV", "FLOAT", noise, 44100))
    np.testing.assert_allclose(recording.samples, soxr.resample(noise, 44100, 16000), atol=1e-6)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (bytes(10_000_001), "10,000,001 bytes; at most 10,000,000"),
        (by_sndfile("WAV", "PCM_16", tone(8000, 31), 8000), r"lasts 31\.0 s; at most 30 s"),
        (by_sndfile("WAV", "PCM_16", np.zeros((9, 9), np.float32)), "9 channels; at most 8"),
        (by_sndfile("WAV", "PCM_16", rate_hz=400_000), "400,000 samples a second; at most 384,000"),
        (
            by_sndfile("FLAC", "PCM_16", np.zeros((192_000, 8), np.float32), 192_000),
            r"at most 0\.25 s are accepted at its sample rate and channels",
        ),
    ],
)
def test_a_clip_beyond_the_limits_is_refused_with_both_figures(raw: bytes, words: str) -> None:
    limits = LIMITS if "0\\.25" not in words else LimitSpec(max_bytes=10**7, max_duration_s=2)
    with pytest.raises(ClipTooLarge, match=words):
        heard(raw, limits)


def without_length(flac: bytes) -> bytes:
    """As a stream is: the number of samples, 36 bits in the header, is 0 for "unknown"."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


@pytest.mark.perf
@pytest.mark.parametrize("name", ["FLAC", "WebM"])
def test_a_small_file_cannot_become_a_big_waveform(name: str) -> None:
    silence = np.zeros(3_000_000, np.float32)
    clips: dict[str, Maker] = {
        "FLAC": lambda: without_length(by_sndfile("FLAC", "PCM_16", silence)),
        "WebM": lambda: by_ffmpeg("webm", "libopus", 48000, live="1"),
    }
    limits = LimitSpec(max_bytes=100_000, max_duration_s=0.3)
    clip = clips[name]()
    began = time.process_time()
    with pytest.raises(ClipTooLarge, match=r"longer than it says; at most 0\.3 s"):
        heard(clip, limits)
    assert time.process_time() - began < 2


def test_a_header_cannot_keep_the_decoder_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.media.audio.readers.HEADER_WORK_S", 0.01)
    empty_boxes = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + b"\0\0\0\x08free" * 200_000
    with pytest.raises(UndecodableClip, match="too much work"):
        decode_recording(empty_boxes, "M4A", 16000, 30)  # in this process, to be impatient
    empty_chunks = WAV[:12] + b"note\0\0\0\0" * 1_000_000
    with pytest.raises(UndecodableClip):
        heard(empty_chunks)


def damaged(raw: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return raw[: chance.randrange(len(raw))]
    clip = bytearray(raw)
    reach = min(len(clip), chance.choice([60, 400, len(clip)]))
    for _ in range(chance.choice([1, 4, 16, 64])):
        clip[chance.randrange(reach)] = chance.choice([0, 0x7F, 0xFF, chance.randrange(256)])
    return bytes(clip)


@pytest.mark.perf
@pytest.mark.parametrize("name", CLIPS)
def test_damage_ends_in_a_recording_or_an_error_in_words(name: str) -> None:
    chance, raw = random.Random(name), CLIPS[name][1]()
    began = time.process_time()
    for _ in range(40):
        with suppress(ClipError):
            assert np.isfinite(heard(damaged(raw, chance)).samples).all()
    assert time.process_time() - began < 5
