"""The one way from a clip's bytes to what the network hears, the same for training and serving."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.audio import decode
from data.domain import Domain
from data.features import log_mel_for, windows


@dataclass(frozen=True)
class Prepared:
    features: NDArray[np.float32]  # [windows, mels, frames]
    duration_s: float
    sample_rate_hz: int  # as sent, before resampling
    container: str


def prepare(raw: bytes, domain: Domain) -> Prepared:
    """Raises a ClipError that says what is wrong with the clip."""
    return PREPARE[domain.modality](raw, domain)


def _prepare_audio(raw: bytes, domain: Domain) -> Prepared:
    recording = decode(raw, sample_rate_hz=domain.input.sample_rate_hz, limits=domain.limits)
    features = log_mel_for(domain)(windows(recording.samples, domain.input))
    return Prepared(features, recording.duration_s, recording.source_rate_hz, recording.container)


PREPARE: dict[str, Callable[[bytes, Domain], Prepared]] = {"audio": _prepare_audio}
