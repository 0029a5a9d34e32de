"""Files are answered as FFmpeg's own decoding of them is answered.

FFmpeg chooses demuxer and track by itself, and decodes to a WAV of 32-bit floats, which is read
without a decoder; a shipped model answers both.
"""

import io
from functools import cache

import av
import numpy as np
import pytest
import soundfile

from data.arrays import Floats
from data.domains.domain import load_domains
from data.media.prepare import prepare
from models.bundle import PRETRAINED, load_bundle
from models.runtime import OnnxModel
from support.inputs.recordings import CLIPS, PLAYABLE

DOMAIN = load_domains(names=("faults",))["faults"]
APART = 0.001  # at most, of a label's probability
PADDED = {"M4A", "M4A 7.1", "MP4", "MP4 video", "QuickTime after another box"}
OTHERWISE = {
    "OGG Vorbis": "FFmpeg loses the first block of it",
    "WAV ADPCM": "FFmpeg rounds another way",
    "WAV after a tag": "FFmpeg does not play it",
}
FILES = {name: make for name, (_, make) in {**CLIPS, **PLAYABLE}.items() if name not in OTHERWISE}


@cache
def model() -> OnnxModel:
    return OnnxModel(load_bundle(PRETRAINED / DOMAIN.name))


def answered(raw: bytes) -> Floats:
    return model().answer([prepare(raw, DOMAIN)])[0].probabilities


def decoded_by_ffmpeg(raw: bytes, is_padded: bool) -> bytes:
    """From version 9 on FFmpeg itself cuts what an MP4 calls padding at its end."""
    fit, parts = av.AudioResampler("flt"), []
    with av.open(io.BytesIO(raw)) as file:
        track = file.streams.best("audio")
        assert isinstance(track, av.AudioStream)
        for frame in file.decode(track):
            frame.pts = None
            parts += [
                packed.to_ndarray().reshape(-1, packed.layout.nb_channels)
                for packed in fit.resample(frame)
            ]
        rate_hz = track.sample_rate
        lasts = track.duration if is_padded else None
    out = io.BytesIO()
    samples = np.concatenate(parts)[:lasts]
    soundfile.write(out, samples, rate_hz, format="WAV", subtype="FLOAT")
    return out.getvalue()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_answered_as_ffmpegs_decoding_of_it(name: str) -> None:
    raw = FILES[name]()
    decoded = decoded_by_ffmpeg(raw, name in PADDED)
    assert np.abs(answered(raw) - answered(decoded)).max() <= APART
