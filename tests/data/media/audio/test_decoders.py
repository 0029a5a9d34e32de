"""decoders.py: what a player plays is heard, and heard whole, or refused by its name."""

import io
import struct
from contextlib import AbstractContextManager

import av
import numpy as np
import pytest

from data.errors import ClipTooLarge, UndecodableClip, UnsupportedClip
from data.media.audio import decoders
from data.media.audio.decoders import decode_recording, decode_stream
from data.media.audio.waveform import Recording, Source
from data.media.sniff import Raw, after_tags, sniff
from support.inputs.recordings import (
    CLIPS,
    PLAYABLE,
    TONE_HZ,
    Samples,
    by_ffmpeg,
    by_sndfile,
    tone,
)


def heard(raw: bytes, max_duration_s: float = 30) -> Recording:
    raw = after_tags(raw)
    return decode_recording(raw, sniff(raw), 16000, max_duration_s)


def loudest_hz(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * 16000 / len(samples))


def tracks(*sounds: Samples, default: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        streams = [file.add_stream("aac", rate=16000, layout="mono") for _ in sounds]
        for place, stream in enumerate(streams):
            stream.disposition = av.stream.Disposition(place == default)
        for stream, sound in zip(streams, sounds, strict=True):
            frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 0
            fit = av.AudioResampler("fltp", "mono", 16000, 1024)
            for part in [*fit.resample(frame), *fit.resample(None), None]:
                file.mux(stream.encode(part))
    return out.getvalue()


@pytest.mark.parametrize("name", PLAYABLE)
def test_what_a_player_plays_is_heard(name: str) -> None:
    container, make = PLAYABLE[name]
    recording = heard(make())
    assert recording.container == container
    assert recording.duration_s == pytest.approx(0.5, abs=0.1)
    assert loudest_hz(recording.samples) == pytest.approx(TONE_HZ, abs=5)


@pytest.mark.parametrize("name", ["M4A", "M4A 7.1", "MP4", "MP4 video"])
def test_what_an_encoder_padded_at_the_end_is_no_sound(name: str) -> None:
    assert heard(CLIPS[name][1]()).duration_s == 0.5


@pytest.mark.parametrize("muxer", ["caf", "ipod"])
def test_a_last_packet_that_is_as_short_as_its_sound_is_not_cut_again(muxer: str) -> None:
    recording = heard(by_ffmpeg(muxer, "alac", 16000, duration_s=5.0))
    assert recording.duration_s == 5.0
    assert recording.warnings == ()


@pytest.mark.parametrize("name", ["WAV ADPCM", "FLAC", "OGG Vorbis", "OGG Opus", "MP3", "AIFF"])
def test_what_the_first_decoder_reads_whole_is_decoded_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    container, make = CLIPS[name]
    kind = "Opus" if name == "OGG Opus" else container
    asked: list[Raw] = []
    first, *_ = decoders.ATTEMPTS[kind]

    def second(raw: Raw, container: str) -> AbstractContextManager[Source]:
        asked.append(raw)
        return first(raw, container)

    monkeypatch.setitem(decoders.ATTEMPTS, kind, (first, second))
    assert heard(make()).duration_s == pytest.approx(0.5, abs=0.08)
    assert not asked


JOINED = {
    "OGG Vorbis": [by_sndfile("OGG", "VORBIS", tone(16000, 2))] * 2,
    "OGG Opus": [by_sndfile("OGG", "OPUS", tone(16000, 2))] * 2,
    "FLAC": [by_sndfile("FLAC", "PCM_16", tone(16000, 2))] * 2,
    "MP3": [by_ffmpeg("mp3", "libmp3lame", 16000, duration_s=2)] * 2,
    "MP3 of two rates": [
        by_ffmpeg("mp3", "libmp3lame", 16000, duration_s=2),
        by_ffmpeg("mp3", "libmp3lame", 8000, duration_s=2),
    ],
    "OGG Opus of two rates": [
        by_ffmpeg("ogg", "libopus", 16000, duration_s=2),
        by_ffmpeg("ogg", "libopus", 48000, "stereo", duration_s=2),
    ],
    "OGG of two rates": [
        by_sndfile("OGG", "VORBIS", tone(16000, 2)),
        by_sndfile("OGG", "VORBIS", np.stack([tone(44100, 2)] * 2, axis=1), 44100),
    ],
}


@pytest.mark.parametrize("name", JOINED)
def test_streams_that_were_joined_are_heard_to_the_end(name: str) -> None:
    recording = heard(b"".join(JOINED[name]))
    assert recording.duration_s == pytest.approx(4, abs=0.15)
    assert loudest_hz(recording.samples[-20_000:]) == pytest.approx(TONE_HZ, abs=5)


def test_links_of_opus_are_heard_one_behind_the_other_without_padding() -> None:
    link = by_ffmpeg("ogg", "libopus", 48000, duration_s=2)
    assert len(heard(link * 2).samples) == 2 * len(heard(link).samples)


def test_damaged_opus_is_heard_by_another_decoder_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counted(name: str, attempt: decoders.Attempt) -> decoders.Attempt:
        def ask(raw: Raw, container: str) -> AbstractContextManager[Source]:
            asked.append(name)
            return attempt(raw, container)

        return ask

    ffmpeg, sndfile = decoders.ATTEMPTS["Opus"]
    both = counted("FFmpeg", ffmpeg), counted("libsndfile", sndfile)
    monkeypatch.setitem(decoders.ATTEMPTS, "Opus", both)
    whole = by_ffmpeg("ogg", "libopus", 48000, duration_s=4)
    middle = len(whole) // 2
    recording = heard(whole[:middle] + bytes(400) + whole[middle + 400 :])
    assert asked == ["FFmpeg", "libsndfile"]
    assert recording.duration_s >= 3


def test_joined_streams_are_limited_together() -> None:
    with pytest.raises(ClipTooLarge):
        heard(b"".join(JOINED["OGG Vorbis"]), max_duration_s=3)


@pytest.mark.parametrize("default", [0, 1])
def test_of_several_tracks_the_default_is_heard_and_named(default: int) -> None:
    sounds = [np.zeros(16000, np.float32), np.zeros(16000, np.float32)]
    sounds[default] = tone(16000, 1)
    recording = heard(tracks(*sounds, default=default))
    assert loudest_hz(recording.samples) == pytest.approx(TONE_HZ, abs=5)
    assert recording.warnings == (f"the file has 2 tracks of sound; track {default + 1} was heard",)


CUT = {
    "FLAC": by_sndfile("FLAC", "PCM_16", tone(16000, 2)),
    "AIFF": by_sndfile("AIFF", "PCM_16", tone(16000, 2)),
    "WAV ADPCM": by_sndfile("WAV", "MS_ADPCM", tone(16000, 2)),
    "WebM": by_ffmpeg("webm", "libopus", 48000, duration_s=2),
}


@pytest.mark.parametrize("name", CUT)
def test_a_header_that_promises_more_than_came_is_told_of(name: str) -> None:
    whole = heard(CUT[name])
    assert whole.warnings == ()
    cut = heard(CUT[name][: len(CUT[name]) // 2])
    assert cut.duration_s < 0.7 * whole.duration_s
    assert any("says that it lasts" in words for words in cut.warnings), cut.warnings


def test_a_second_decoder_shows_that_it_works_while_it_catches_up() -> None:
    """Of a recording of hours that takes longer than one that sends nothing is waited for."""
    sent: list[int] = []
    raw = by_sndfile("FLAC", "PCM_16", np.random.default_rng(0).normal(0, 0.1, 480_000))
    stream = decode_stream(
        raw[: len(raw) * 9 // 10], "FLAC", None, 60, lambda _, block: sent.append(len(block))
    )
    assert sum(sent) == round(16_000 * stream.duration_s)
    assert sent.count(0) > 10


def test_a_second_decoder_that_lacks_memory_costs_nothing_that_was_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def greedy(raw: Raw, container: str) -> AbstractContextManager[Source]:
        raise MemoryError

    first, *_ = decoders.ATTEMPTS["FLAC"]
    monkeypatch.setitem(decoders.ATTEMPTS, "FLAC", (first, greedy))
    assert heard(CUT["FLAC"][: len(CUT["FLAC"]) // 2]).duration_s > 0.5
    monkeypatch.setitem(decoders.ATTEMPTS, "FLAC", (greedy, first))
    with pytest.raises(UndecodableClip, match="too much memory"):
        heard(CUT["FLAC"])


def test_damage_in_the_middle_is_passed_over_and_told_of() -> None:
    raw = bytearray(by_ffmpeg("adts", "aac", 44100, duration_s=4))
    raw[30_000:30_400] = bytes(400)
    recording = heard(bytes(raw))
    assert recording.duration_s == pytest.approx(4, abs=0.3)


def test_a_codec_that_its_file_cannot_hold_is_named() -> None:
    with pytest.raises(UndecodableClip, match=r"WAV file holds AAC .*; send WAV, FLAC"):
        heard(by_ffmpeg("wav", "aac", 16000, duration_s=2))


def test_encrypted_sound_is_refused_in_words() -> None:
    raw = by_ffmpeg("ipod", "alac", 16000).replace(b"alac", b"drms")
    with pytest.raises(UndecodableClip, match="M4A file holds sound of a kind .* encrypted"):
        heard(raw)


@pytest.mark.parametrize("raw", [bytes(1000), struct.pack("<I", 77) * 500])
def test_what_no_decoder_knows_is_no_sound_file(raw: bytes) -> None:
    with pytest.raises(UnsupportedClip, match=r"unknown kind, not a sound file; send WAV, FLAC"):
        heard(raw)


def test_a_play_list_opens_no_other_file() -> None:
    entry = b"\0\0#EXTM3U\n#EXTINF:1,\n/etc/hostname\n" + bytes(600)
    with pytest.raises(UnsupportedClip):
        heard(entry)
