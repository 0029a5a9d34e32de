"""From bytes to scores: a batch of clips on one version; one that cannot be decoded fails alone."""

import time
from dataclasses import dataclass

from data.domains.domain import Domain
from data.errors import DeadlineExceeded
from data.media.prepare import Prepared, prepare
from models.runtime import Scores
from serve_app.replica.champion import LoadedVersion

TOO_LATE = "the deadline passed before the clip's turn came"


@dataclass(frozen=True, slots=True)
class Item:
    """A clip as it came; `deadline` on the monotonic clock, `queued` on the performance clock."""

    raw: bytes
    queued: float
    deadline: float


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """`total_ms` runs from the queue to the scores of the whole batch."""

    served: LoadedVersion
    scores: Scores
    prepared: Prepared
    queue_ms: float
    prepare_ms: float
    network_ms: float
    total_ms: float


ScoredOrError = ScoredClip | Exception


def answer_batch(served: LoadedVersion, items: list[Item]) -> list[ScoredOrError]:
    """An answer for each clip, or what is wrong with it. One pass of the network for all."""
    begun = time.perf_counter()
    heard = [attempt(item, served.domain) for item in items]
    network = time.perf_counter()
    clips = [found for found, _ in heard if isinstance(found, Prepared)]
    scores = iter(served.model.answer(clips) if clips else ())
    ended = time.perf_counter()
    return [
        found
        if isinstance(found, Exception)
        else ScoredClip(
            served=served,
            scores=next(scores),
            prepared=found,
            queue_ms=(begun - item.queued) * 1e3,
            prepare_ms=seconds * 1e3,
            network_ms=(ended - network) * 1e3,
            total_ms=(ended - item.queued) * 1e3,
        )
        for item, (found, seconds) in zip(items, heard, strict=True)
    ]


def attempt(item: Item, domain: Domain) -> tuple[Prepared | Exception, float]:
    """The clip's features, or why there are none, and the seconds it took. A clip whose turn
    comes after its deadline is not worked on."""
    started = time.perf_counter()
    if item.deadline < time.monotonic():
        return DeadlineExceeded(TOO_LATE), 0.0
    try:
        return prepare(item.raw, domain), time.perf_counter() - started
    except Exception as error:
        return error, time.perf_counter() - started
