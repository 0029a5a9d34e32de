"""From a clip's bytes to the network's input."""

import io
import subprocess
import sys
import tracemalloc
from typing import get_args

import numpy as np
import pytest
import soundfile

from data.domains.domain import AudioDomain, Domain, load_domains
from data.errors import ClipTooLarge, UnsupportedClip
from data.media.prepare import PREPARE, prepare

AUDIO = [domain for domain in load_domains().values() if isinstance(domain, AudioDomain)]
audio_domains = pytest.mark.parametrize("domain", AUDIO, ids=lambda domain: domain.name)


def clip(duration_s: float, sample_rate_hz: int = 22050, container: str = "WAV") -> bytes:
    count = round(duration_s * sample_rate_hz)
    samples = np.random.default_rng(0).integers(-9000, 9000, count, np.int16)
    out = io.BytesIO()
    soundfile.write(out, samples, sample_rate_hz, format=container, subtype="PCM_16")
    return out.getvalue()


def test_every_modality_has_its_way_to_the_network() -> None:
    assert set(PREPARE) == set(get_args(Domain.model_fields["modality"].annotation))


@audio_domains
def test_a_short_clip_becomes_one_window(domain: AudioDomain) -> None:
    prepared = prepare(clip(0.3), domain)
    assert prepared.features.shape == (1, *domain.window)
    assert prepared.features.dtype == np.float32
    assert np.isfinite(prepared.features).all()


@audio_domains
def test_a_long_clip_becomes_windows_that_hop(domain: AudioDomain) -> None:
    duration_s = domain.input.window_s + 2 * domain.input.hop_s
    assert len(prepare(clip(duration_s), domain).features) == 3


def test_a_prepared_clip_tells_how_it_was_sent() -> None:
    prepared = prepare(clip(0.5, 44100, "FLAC"), AUDIO[0])
    assert prepared.duration_s == pytest.approx(0.5)
    assert (prepared.sample_rate_hz, prepared.container) == (44100, "FLAC")


def test_the_container_makes_no_difference_to_the_features() -> None:
    wav, flac = (prepare(clip(1.0, container=name), AUDIO[0]) for name in ("WAV", "FLAC"))
    np.testing.assert_array_equal(wav.features, flac.features)


def test_a_domain_s_limits_hold() -> None:
    limits = AUDIO[0].limits.model_copy(update={"max_duration_s": 5.0})
    narrow = AUDIO[0].model_copy(update={"limits": limits})
    with pytest.raises(ClipTooLarge, match="at most 5 s"):
        prepare(clip(5.5), narrow)


def test_a_picture_is_refused() -> None:
    with pytest.raises(UnsupportedClip, match="PNG image"):
        prepare(b"\x89PNG\r\n\x1a\n" + bytes(100), AUDIO[0])


def test_preparing_a_recording_needs_neither_torch_nor_ffmpeg_nor_pictures() -> None:
    script = (
        "import sys; from data.domains.domain import load_domains; "
        "from data.media.prepare import prepare; "
        f"prepare({clip(0.01)!r}, next(iter(load_domains().values()))); "
        "loaded = {'torch', 'torchaudio', 'av', 'soundfile', 'librosa', 'PIL'} & set(sys.modules); "
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.perf
def test_a_clip_of_five_seconds_takes_no_more_than_its_samples_a_few_times_over() -> None:
    raw, domain = clip(5, 16_000), load_domains(names=("faults",))["faults"]
    prepare(raw, domain)
    tracemalloc.start()
    try:
        features = prepare(raw, domain).features
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * features.nbytes
    assert peak < 20 * len(raw), "1.4 MB of 160 KB"
