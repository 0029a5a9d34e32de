"""clip_checks.py: what one clip by itself shows."""

import numpy as np
import pytest
from numpy.typing import NDArray

from data.domains.domain import AudioDomain, load_domains, of_sounds
from data.errors import ClipError
from data.quality.clip_checks import check_sound
from support.inputs.sounds import tone, wav


@pytest.fixture
def domain() -> AudioDomain:
    return of_sounds(load_domains(names=("faults",))["faults"])


def wave(loudness: float, rate_hz: int = 16_000) -> NDArray[np.floating]:
    return loudness * np.sin(2 * np.pi * 330 * np.arange(rate_hz) / rate_hz)


def kinds(raw: bytes, domain: AudioDomain) -> list[str]:
    return [remark.kind for remark in check_sound(raw, domain).remarks]


def test_a_good_clip_has_no_remarks(domain: AudioDomain) -> None:
    assert kinds(tone(), domain) == []
    assert kinds(wav(wave(0.999)), domain) == []


def test_silence_is_told_and_a_short_call_in_it_is_not(domain: AudioDomain) -> None:
    assert kinds(wav(np.zeros(16_000)), domain) == ["silent"]
    assert kinds(wav(wave(0.0005)), domain) == ["silent"]
    call = np.zeros(160_000)
    call[80_000:81_600] = wave(0.3)[:1600]
    assert kinds(wav(call), domain) == []


@pytest.mark.parametrize("level", [1.0, 0.4])  # also where it was made softer afterwards
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_a_wave_that_was_cut_off_is_told(domain: AudioDomain, level: float, rate_hz: int) -> None:
    cut = level * np.clip(wave(1.5, rate_hz), -1, 1)
    assert kinds(wav(cut, rate_hz), domain) == ["clipped"]


def test_a_rate_below_the_domains_is_told_with_what_is_lost(domain: AudioDomain) -> None:
    (remark,) = check_sound(tone(rate_hz=8_000), domain).remarks
    assert remark.kind == "low_rate"
    assert "nothing above 4,000 Hz can be heard" in remark.reason


def test_what_is_no_sound_is_an_error_in_words(domain: AudioDomain) -> None:
    with pytest.raises(ClipError, match="text"):
        check_sound(b"not a sound", domain)
