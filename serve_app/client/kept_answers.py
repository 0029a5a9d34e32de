"""What is answered of predictions that a domain keeps, and of versions compared by them."""

from typing import Literal

from .answers import Answer, Moment, Prediction


class KeptPrediction(Answer):
    """An answer that was given; `why` it is kept: by chance, since it was not sure enough to be
    asserted, or since it was unknown. `receipt` is that of the correction it has become."""

    id: int
    clip: str  # its sha256
    has_clip: bool  # whether the bytes are kept
    version: str
    label: str
    confidence: float
    unknown: bool
    why: Literal["sample", "unsure", "unknown"]
    probabilities: dict[str, float]
    created: Moment
    expires: Moment
    receipt: str | None = None


class KeptPredictions(Answer):
    domain: str
    predictions: tuple[KeptPrediction, ...]


class Replay(Answer):
    """What was answered then, and what a version answers now; whether label, or being known,
    differs."""

    kept: KeptPrediction
    now: Prediction
    flips: bool


class Opinion(Answer):
    label: str
    confidence: float
    unknown: bool


class Flip(Answer):
    """A kept clip that the two versions answer differently."""

    id: int
    clip: str  # its sha256
    a: Opinion
    b: Opinion


class VersionDiff(Answer):
    """Of the newest kept clips: how many both versions have answered, how many could not be, and
    those whose label, or whether they are known, differs."""

    domain: str
    a: str
    b: str
    replayed: int
    failed: int
    flips: tuple[Flip, ...]
