"""What is wrong with a clip that can be heard by itself: silence, clipping, a rate too low."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from data.arrays import Floats
from data.database.schema import FlagKind
from data.domains.domain import AudioDomain
from data.media.audio.recording import decode
from data.quality.near_copies import RATE_HZ, signs

FRAME_S = 0.05
SILENT_DBFS = -60.0
FLAT = 0.999  # of the peak: where a wave was cut off, several samples in a row are there
CLIPPED_SHARE = 0.001


@dataclass(frozen=True)
class Remark:
    """`score` is between 0 and 1, for the order of a list: the worse, the higher."""

    kind: FlagKind
    reason: str
    score: float

    def flag(self, sha256: str) -> tuple[str, FlagKind, str, float]:
        """As the store takes it."""
        return sha256, self.kind, self.reason, self.score


@dataclass(frozen=True)
class MaskSummary:
    """The digest of its pixels, and how far what it marks is told apart from what is around it."""

    digest: str
    separation: float


@dataclass(frozen=True)
class CheckedClip:
    """A clip's remarks, and its fingerprint and its mask, if any, to compare it with others."""

    remarks: tuple[Remark, ...]
    fingerprint: bytes
    mask: MaskSummary | None = None


def check_sound(raw: bytes, domain: AudioDomain) -> CheckedClip:
    """Raises a ClipError where there is nothing to be heard."""
    slow = decode(raw, sample_rate_hz=RATE_HZ, limits=domain.limits)
    rate_hz = slow.source_rate_hz
    # At its own rate: resampling rounds the flat tops off.
    samples = decode(raw, sample_rate_hz=rate_hz, limits=domain.limits).samples
    found = (check(samples, rate_hz, domain) for check in CHECKS)
    return CheckedClip(tuple(remark for remark in found if remark), signs(slow.samples))


def silence(samples: Floats, rate_hz: int, domain: AudioDomain) -> Remark | None:
    """The loudest moment counts: a short call in a long silence is no silent clip."""
    frame = max(1, round(FRAME_S * rate_hz))
    padded = np.pad(samples, (0, -len(samples) % frame)).reshape(-1, frame)
    power = float(np.square(padded, dtype=np.float64).mean(axis=1).max())
    level_dbfs = 10 * np.log10(max(power, 1e-20))
    if level_dbfs >= SILENT_DBFS:
        return None
    return Remark("silent", f"its loudest moment is at {level_dbfs:.0f} dBFS", 1.0)


def clipping(samples: Floats, rate_hz: int, domain: AudioDomain) -> Remark | None:
    size = np.abs(samples)
    peak = float(size.max())
    if peak < 0.1 or len(size) < 3:  # steps of quantisation look flat as well
        return None
    flat = size >= FLAT * peak
    share = float((flat[2:] & flat[1:-1] & flat[:-2]).mean())
    if share < CLIPPED_SHARE:
        return None
    return Remark("clipped", f"{share:.1%} of it is cut off at the peak", min(1.0, 20 * share))


def low_rate(samples: Floats, rate_hz: int, domain: AudioDomain) -> Remark | None:
    wanted_hz = domain.input.sample_rate_hz
    if rate_hz >= wanted_hz:
        return None
    reason = (
        f"it has {rate_hz:,} samples a second and {domain.name} listens at {wanted_hz:,}: "
        f"nothing above {rate_hz // 2:,} Hz can be heard"
    )
    return Remark("low_rate", reason, 1 - rate_hz / wanted_hz)


def contradiction(
    asserted: bool | None, answer: str, confidence: float, label: str
) -> Remark | None:
    """A label that the model, sure of another one, contradicts."""
    if not asserted or answer == label:
        return None
    reason = f"the model is sure that it is {answer!r} ({confidence:.0%}), not {label!r}"
    return Remark("label_conflict", reason, confidence)


CHECKS: tuple[Callable[[Floats, int, AudioDomain], Remark | None], ...] = (
    silence,
    clipping,
    low_rate,
)
