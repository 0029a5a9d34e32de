"""The one way from a clip's bytes to what the network sees, the same for training and serving."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.arrays import Floats
from data.domains.domain import AudioDomain, Domain, ImageDomain
from data.media.audio.features import features_for, windows
from data.media.audio.loudness import at_loudness
from data.media.audio.recording import decode


@dataclass(frozen=True)
class Prepared:
    """`features` is [windows, mels, frames] of a recording, or [windows, samples] where its
    network hears the waveform; [1, 3, H, W] in 0 to 1 of a photograph. What a clip has not is
    0: a photograph lasts no time. `level_dbfs` is of the loudest window, as sent."""

    features: Floats
    duration_s: float
    sample_rate_hz: int  # as sent, before resampling
    container: str
    width_px: int = 0  # as sent, but upright
    height_px: int = 0
    level_dbfs: float | None = None
    warnings: tuple[str, ...] = ()  # what a person should know of how it was read


def prepare(raw: bytes, domain: Domain) -> Prepared:
    """Raises a ClipError that says what is wrong with the clip."""
    return PREPARE[domain.modality](raw, domain)


def _prepare_audio(raw: bytes, domain: AudioDomain) -> Prepared:
    recording = decode(raw, sample_rate_hz=domain.input.sample_rate_hz, limits=domain.limits)
    features, level = features_of_sound(recording.samples, domain)
    return Prepared(
        features,
        recording.duration_s,
        recording.source_rate_hz,
        recording.container,
        level_dbfs=level,
        warnings=recording.warnings,
    )


def prepare_samples(samples: Floats, domain: AudioDomain) -> Prepared:
    """What no file holds: a recording [T] at the domain's rate, made here or cut from a longer."""
    features, level = features_of_sound(samples, domain)
    rate_hz = domain.input.sample_rate_hz
    return Prepared(features, len(samples) / rate_hz, rate_hz, "samples", level_dbfs=level)


def features_of_sound(samples: Floats, domain: AudioDomain) -> tuple[Floats, float]:
    """A recording [T] at the domain's rate -> what its network is given, and its level in dBFS."""
    loud, level = at_loudness(samples, domain.input)
    return features_for(domain)(windows(loud, domain.input)), level


def _prepare_image(raw: bytes, domain: ImageDomain) -> Prepared:
    from data.media.image import photograph  # Pillow, which a replica that hears does without

    sizes = domain.input.max_side_px, domain.network.stride_px
    found = photograph.decode(raw, *sizes, domain.limits)
    features = photograph.features(found.pixels)[np.newaxis]
    return Prepared(features, 0.0, 0, found.container, found.width_px, found.height_px)


# Each is given the domains of its own modality only, which their type cannot say.
PREPARE: dict[str, Callable[[bytes, Any], Prepared]] = {
    "audio": _prepare_audio,
    "image": _prepare_image,
}
