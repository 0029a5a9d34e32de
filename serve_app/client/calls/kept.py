"""Predictions that a domain keeps: listed, heard, labelled, replayed; for admins."""

from typing import Literal

from ..answers import Receipt
from ..call import Call, get, one, part, post, raw, segment
from ..kept_answers import KeptPrediction, KeptPredictions, Replay, VersionDiff


def kept_predictions(
    domain: str, *, order: Literal["newest", "ask"] = "newest", limit: int = 100, offset: int = 0
) -> Call[tuple[KeptPrediction, ...]]:
    """`ask`: those that people should be asked about next, the most useful first."""
    read = part(KeptPredictions, lambda found: found.predictions)
    return get(f"/{domain}/predictions", read, order=order, limit=limit, offset=offset)


def predicted_clip(domain: str, number: int) -> Call[bytes]:
    return get(f"/{domain}/predictions/{number}/content", raw)


def replay(domain: str, number: int, *, version: str = "") -> Call[Replay]:
    """Asked again, of the champion or of another version."""
    path = f"/{domain}/predictions/{number}/replay"
    return get(path, one(Replay), version=version or None)


def label_prediction(domain: str, number: int, label: str) -> Call[Receipt]:
    """Makes a correction of it."""
    return post(f"/{domain}/predictions/{number}/label", one(Receipt), label=label)


def diff(domain: str, a: str, b: str, *, last: int = 100) -> Call[VersionDiff]:
    """What differs between two versions in the newest kept clips."""
    path = f"/{domain}/models/{segment(a)}/diff/{segment(b)}"
    return get(path, one(VersionDiff), last=last)
