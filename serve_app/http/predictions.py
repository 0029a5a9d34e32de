"""A clip's answer, whichever route it came by: on the version that is asked for or on trial, and
kept where the domain's file says so."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple, TypeVar

from fastapi import Request

from data.errors import BundleError, NotReady, TelltaleError, UnknownName
from serve_app.http.answers.responses import queue_of, service_of
from serve_app.http.replica import Replica
from serve_app.replica.other_versions import on_trial
from serve_app.replica.prediction_log import Offer
from serve_app.replica.scoring import ScoredClip
from serve_app.statuses import in_words

VERSION, SESSION = "x-model-version", "x-session-id"
AT_ONCE = 8  # clips of one request: the others of the queue are for other callers
TRIAL_PATIENCE_S = 0.5  # with the curator, before the champion answers

log = logging.getLogger("ray.serve")

S = TypeVar("S")
T = TypeVar("T")


class Asked(NamedTuple):
    who: str  # has the clip's turn in the queue
    session: str  # whose answers come from one version in a trial
    version: str | None  # overrides a trial


def asked_of(request: Request, version: str | None = None) -> Asked:
    """`version` is what the address says, and comes before the header."""
    who, headers = queue_of(request), request.headers
    split = service_of(request).domain.serving.split
    session = (headers.get(SESSION) or who) if split else who
    return Asked(who, session, version or headers.get(VERSION))


async def predict(
    service: Replica, raw: bytes, asked: Asked, deadline: float = math.inf
) -> ScoredClip:
    """Raises as `Replica.predict` and `Replica.predict_on` do."""
    found = await _found(service, raw, asked, deadline)
    if service.prediction_log is not None:
        service.prediction_log.offer(raw, found)
    return found


@contextmanager
def kept_together(service: Replica) -> Iterator[Offer]:
    """For a request that is answered as a whole or refused: the answers that are offered inside
    are kept when the block has ended well."""
    if service.prediction_log is None:
        yield lambda raw, found: None
        return
    with service.prediction_log.together() as offer:
        yield offer


async def predict_all(
    service: Replica,
    clips: Sequence[bytes],
    asked: Asked,
    told: Callable[[ScoredClip], T],
    offer: Offer,
) -> list[T | TelltaleError]:
    """For each clip what `told` makes of its answer, or what is wrong with it. The answers are let
    go one by one: with the features of its clip each takes megabytes."""

    async def one(clip: bytes) -> T:
        found = await _found(service, clip, asked)
        offer(clip, found)
        return told(found)

    return await few_at_once(clips, or_why(service, one))


async def few_at_once(items: Iterable[S], one: Callable[[S], Awaitable[T]]) -> list[T]:
    """What `one` makes of each, in order; of clips and answers together, few lie in memory."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(item: S) -> T:
        async with turns:
            return await one(item)

    return await asyncio.gather(*map(in_turn, items))


def or_why(
    service: Replica, one: Callable[[S], Awaitable[T]]
) -> Callable[[S], Awaitable[T | TelltaleError]]:
    """The same, but what is wrong with an item is counted and returned: the others are answered."""

    async def tried(item: S) -> T | TelltaleError:
        try:
            return await one(item)
        except TelltaleError as error:
            service.metrics.rejected(type(error).__name__)
            return error

    return tried


async def _found(
    service: Replica, raw: bytes, asked: Asked, deadline: float = math.inf
) -> ScoredClip:
    if asked.version is not None:
        return await service.predict_on(asked.version, raw, asked.who, deadline)
    if service.domain.serving.split:
        return await _of_trial(service, raw, asked, deadline)
    return await service.predict(raw, asked.who, deadline)


async def _of_trial(service: Replica, raw: bytes, asked: Asked, deadline: float) -> ScoredClip:
    """By the version that the session has in `serving.split`. Where that cannot answer, the
    champion does."""
    domain, who = service.domain, asked.who
    version = on_trial(domain.serving.split, f"{domain.name}/{asked.session}")
    if version is not None:
        try:
            return await service.predict_on(version, raw, who, deadline, TRIAL_PATIENCE_S)
        except (UnknownName, NotReady, BundleError) as error:
            _warn_once(version, in_words(error))
    return await service.predict(raw, who, deadline)


@cache
def _warn_once(version: str, words: str) -> None:
    log.warning("version %s of serving.split does not answer: %s", version, words)
