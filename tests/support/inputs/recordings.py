"""Short recordings of a tone in every format that is accepted, made on the spot."""

import io
from collections.abc import Callable

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

Samples = NDArray[np.float32] | NDArray[np.float64]
Maker = Callable[[], bytes]

TONE_HZ = 440


def tone(sample_rate_hz: int, duration_s: float = 0.5) -> NDArray[np.float32]:
    phase = 2 * np.pi * TONE_HZ * np.arange(round(sample_rate_hz * duration_s)) / sample_rate_hz
    return (0.3 * np.sin(phase)).astype(np.float32)


def by_sndfile(
    container: str, subtype: str, samples: Samples | None = None, rate_hz: int = 16000
) -> bytes:
    out = io.BytesIO()
    samples = tone(rate_hz) if samples is None else samples
    soundfile.write(out, samples, rate_hz, format=container, subtype=subtype)
    return out.getvalue()


def _frames(
    coder: "av.AudioCodecContext", rate_hz: int, duration_s: float
) -> "list[av.AudioFrame]":
    layout = coder.layout
    interleaved = np.repeat(tone(rate_hz, duration_s), layout.nb_channels)[np.newaxis]
    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout.name)
    frame.sample_rate, frame.pts = rate_hz, 0
    fit = av.AudioResampler(coder.format, layout, rate_hz, coder.frame_size or 1024)
    return [*fit.resample(frame), *fit.resample(None)]


def by_ffmpeg(
    muxer: str,
    codec: str,
    rate_hz: int,
    layout: str = "mono",
    sound: bool = True,
    duration_s: float = 0.5,
    **options: str,
) -> bytes:
    """A tone in every channel; `layout` "video" adds a picture, without `sound` nothing else."""
    out = io.BytesIO()
    with av.open(out, "w", format=muxer, options=options) as file:
        picture = None
        if layout == "video":
            layout = "mono"
            picture = file.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p")
        if sound:
            stream = file.add_stream(codec, rate=rate_hz, layout=layout)
            stream.bit_rate = 12_200 if codec == "amr_nb" else 96_000
            for frame in [*_frames(stream.codec_context, rate_hz, duration_s), None]:
                file.mux(stream.encode(frame))
        if picture is not None:
            image = av.VideoFrame(64, 64, "yuv420p")
            image.pts = 0
            file.mux([*picture.encode(image), *picture.encode()])
    return out.getvalue()


FRAGMENTS = "frag_keyframe+empty_moov"
CLIPS: dict[str, tuple[str, Maker]] = {
    "WAV 16 bit": ("WAV", lambda: by_sndfile("WAV", "PCM_16")),
    "WAV 24 bit": ("WAV", lambda: by_sndfile("WAV", "PCM_24", rate_hz=48000)),
    "WAV 8 bit": ("WAV", lambda: by_sndfile("WAV", "PCM_U8")),
    "WAV float": ("WAV", lambda: by_sndfile("WAV", "FLOAT")),
    "WAV ADPCM": ("WAV", lambda: by_sndfile("WAV", "MS_ADPCM")),
    "WAV telephone": ("WAV", lambda: by_sndfile("WAV", "ULAW", rate_hz=8000)),
    "WAV extensible": ("WAV", lambda: by_sndfile("WAVEX", "PCM_16")),
    "RF64": ("WAV", lambda: by_sndfile("RF64", "PCM_16")),
    "FLAC": ("FLAC", lambda: by_sndfile("FLAC", "PCM_16", rate_hz=44100)),
    "OGG Vorbis": ("OGG", lambda: by_sndfile("OGG", "VORBIS")),
    "OGG Opus": ("OGG", lambda: by_sndfile("OGG", "OPUS")),
    "MP3": ("MP3", lambda: by_sndfile("MP3", "MPEG_LAYER_III", rate_hz=44100)),
    "MP3 with ID3 tag": (
        "MP3",
        lambda: b"ID3\x04\0\0\0\0\x01\0" + bytes(128) + by_sndfile("MP3", "MPEG_LAYER_III"),
    ),
    "AIFF": ("AIFF", lambda: by_sndfile("AIFF", "PCM_16")),
    "AU": ("AU", lambda: by_sndfile("AU", "PCM_16")),
    "CAF": ("CAF", lambda: by_sndfile("CAF", "PCM_16")),
    "M4A": ("M4A", lambda: by_ffmpeg("ipod", "aac", 44100)),
    "M4A lossless": ("M4A", lambda: by_ffmpeg("ipod", "alac", 44100)),
    "M4A 7.1": ("M4A", lambda: by_ffmpeg("ipod", "aac", 44100, "7.1")),
    "MP4": ("MP4", lambda: by_ffmpeg("mp4", "aac", 48000, "stereo")),
    "MP4 video": ("MP4", lambda: by_ffmpeg("mp4", "aac", 48000, "video")),
    "MP4 in fragments": ("MP4", lambda: by_ffmpeg("mp4", "aac", 48000, movflags=FRAGMENTS)),
    "QuickTime": ("MP4", lambda: by_ffmpeg("mov", "pcm_s16le", 44100, "stereo")),
    "AAC": ("AAC", lambda: by_ffmpeg("adts", "aac", 44100)),
    "WebM": ("WEBM", lambda: by_ffmpeg("webm", "libopus", 48000)),
    "WebM from a stream": ("WEBM", lambda: by_ffmpeg("webm", "libopus", 48000, live="1")),
    "Matroska": ("WEBM", lambda: by_ffmpeg("matroska", "flac", 44100, "stereo")),
    "3GP": ("3GP", lambda: by_ffmpeg("3gp", "amr_nb", 8000)),
    "AMR": ("AMR", lambda: by_ffmpeg("amr", "amr_nb", 8000)),
    "WMA": ("WMA", lambda: by_ffmpeg("asf", "wmav2", 44100, "stereo")),
}


def _mp3() -> bytes:
    return by_ffmpeg("mp3", "libmp3lame", 16000, write_xing="0")


TAG = b"ID3\x03\0\0\0\0\0\x0aTIT2\0\0\0\0\0\0"
FREE_BOX = b"\0\0\0\x14free" + bytes(12)  # as long as the box that says what kind it is
# What players play although its beginning, or what is in it, is unusual.
PLAYABLE: dict[str, tuple[str, Maker]] = {
    "Wave64": ("W64", lambda: by_sndfile("W64", "PCM_24")),
    "WavPack": ("WavPack", lambda: by_ffmpeg("wv", "wavpack", 16000)),
    "AC-3 in WAV": ("WAV", lambda: by_ffmpeg("wav", "ac3", 48000)),
    "FLAC in OGG": ("OGG", lambda: by_ffmpeg("ogg", "flac", 16000)),
    "MP3 after zeros": ("MP3", lambda: bytes(1500) + _mp3()),
    "MP3 after junk": ("MP3", lambda: b"\x0b\x17junk" * 100 + _mp3()),
    "MP3 after a tag and padding": ("MP3", lambda: TAG + bytes(2048) + _mp3()),
    "MP3 after two tags": ("MP3", lambda: TAG + TAG + _mp3()),
    "WAV after a tag": ("WAV", lambda: TAG + by_sndfile("WAV", "MS_ADPCM")),
    "FLAC after a tag": ("FLAC", lambda: TAG + by_sndfile("FLAC", "PCM_16")),
    "QuickTime after another box": ("MP4", lambda: FREE_BOX + by_ffmpeg("mov", "aac", 16000)[20:]),
    "AVI": ("AVI", lambda: by_ffmpeg("avi", "pcm_s16le", 16000, "video")),
    "MPEG transport stream": ("MPEGTS", lambda: by_ffmpeg("mpegts", "mp2", 16000)),
    "True Audio": ("TTA", lambda: by_ffmpeg("tta", "tta", 16000)),
    "AC-3": ("AC3", lambda: by_ffmpeg("ac3", "ac3", 48000)),
}
