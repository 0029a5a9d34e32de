"""A disturbance: something done to a service, a question whether it has got over it, and what it
came to: seconds until then, and who was not answered.

A request belongs to the disturbance during which it ended.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import httpx
import numpy as np

from data.errors import TelltaleError
from loadtest.chaos.clients import PATIENCE_S, Kind, Ledger, Sent
from loadtest.own_service import LOOK_S, Service

LEAST_PATIENCE_S = 60.0
PATIENCE_OVER_BAR_S = 30.0
SETTLE_S = 3.0  # afterwards; what was held up comes now
KINDS: tuple[Kind, ...] = ("ok", "busy", "unanswered", "error", "foreign")
WRONG: dict[Kind, str] = {"error": "wrong answers", "foreign": "answers of a stranger"}


class Skipped(Exception):
    """It cannot be done here; the message says why."""


@dataclass(frozen=True)
class Subject:
    service: Service
    ledger: Ledger  # of the clients that are at work


@dataclass(frozen=True)
class Effect:
    """Of what has been done: `back` answers at once whether all is as before, and raises NotReady
    where it never will be; `notes` are figures for people, `broken` what was seen that must not
    be."""

    back: Callable[[], bool]
    notes: Sequence[str] = ()
    broken: Sequence[str] = ()


Deed = Callable[[Subject], Effect]  # returns when the disturbance is over


@dataclass(frozen=True)
class Disturbance:
    """`bar_s`: from its end until `back`, at most; `p99_ms`: of other clients' predictions while
    it goes on, at most."""

    name: str
    what: str
    do: Deed
    bar_s: float
    p99_ms: float | None = None
    quick: bool = False


@dataclass(frozen=True)
class Outcome:
    """`back_s`: None where it did not get over it; `gap_s`: the longest without a prediction;
    `causes`: of all that was not answered as it should be; `broken`: each bar, in words."""

    name: str
    what: str
    bar_s: float
    skipped: str = ""
    back_s: float | None = None
    gap_s: float = 0.0
    p99_ms: float | None = None  # of predictions while it went on, where that has a bar
    counts: dict[Kind, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()
    broken: Sequence[str] = ()


@dataclass(frozen=True)
class Moments:
    """Of time.monotonic(): the disturbance began, was over, and its window was closed."""

    began: float
    over: float
    closed: float


def disturbed(row: Disturbance, subject: Subject) -> Outcome:
    """Done, waited for and counted; where the service does not get over it by itself, it is
    started anew. Raises NotReady where not even that helps."""
    began = time.monotonic()
    back: tuple[float | None, str] = None, ""
    try:
        effect = row.do(subject)
        over = time.monotonic()
        back = waited(effect.back, max(LEAST_PATIENCE_S, row.bar_s + PATIENCE_OVER_BAR_S))
    except Skipped as error:
        return Outcome(row.name, row.what, row.bar_s, skipped=str(error))
    except (TelltaleError, OSError, httpx.HTTPError) as error:
        effect, over, back = Effect(lambda: False), time.monotonic(), (None, str(error))
    if back[0] is None:
        subject.service.restart()
    time.sleep(SETTLE_S)
    moments = Moments(began, over, time.monotonic())
    return outcome_of(row, effect, back, moments, subject.ledger.requests)


def waited(back: Callable[[], bool], patience_s: float) -> tuple[float | None, str]:
    """Seconds until it is back; None when patience is over, or it never will be, and why."""
    began = time.monotonic()
    try:
        while time.monotonic() - began < patience_s:
            if back():
                return time.monotonic() - began, ""
            time.sleep(LOOK_S)
    except TelltaleError as error:
        return None, str(error)
    return None, f"not within {patience_s:g} s"


def outcome_of(
    row: Disturbance,
    effect: Effect,
    back: tuple[float | None, str],
    moments: Moments,
    requests: Sequence[Sent],
) -> Outcome:
    """`back` as `waited` returns it."""
    back_s, words = back
    window = [sent for sent in list(requests) if moments.began < sent.ended <= moments.closed]
    predictions = [sent for sent in window if sent.path == "/predict"]
    answered = sorted(sent.ended for sent in predictions if sent.kind == "ok")
    counts = Counter(sent.kind for sent in window)
    p99_ms = None if row.p99_ms is None else _p99_ms(predictions, moments)
    broken = [*effect.broken]
    broken += [
        f"{counts[kind]} {what}; 0 are allowed" for kind, what in WRONG.items() if counts[kind]
    ]
    if back_s is None:
        broken.append(f"it did not get over it by itself: {' '.join(words.split())}")
    elif back_s > row.bar_s:
        broken.append(f"back after {back_s:.1f} s; at most {row.bar_s:g} are allowed")
    if row.p99_ms and p99_ms and p99_ms > row.p99_ms:
        broken.append(f"predictions took {p99_ms:.0f} ms (p99); at most {row.p99_ms:g} are allowed")
    return Outcome(
        row.name,
        row.what,
        row.bar_s,
        back_s=None if back_s is None else round(back_s, 1),
        gap_s=round(float(np.diff([moments.began, *answered, moments.closed]).max()), 1),
        p99_ms=p99_ms,
        counts={kind: counts[kind] for kind in KINDS},
        causes=_causes(window),
        notes=effect.notes,
        broken=broken,
    )


def _causes(window: Sequence[Sent]) -> dict[str, int]:
    """The wrong ones first, and then the most frequent."""
    found = Counter((s.kind not in WRONG, f"{s.path} {s.words}") for s in window if s.words)
    ordered = sorted(found.items(), key=lambda item: (item[0][0], -item[1]))
    return {words: count for (_, words), count in ordered}


def _p99_ms(predictions: Sequence[Sent], moments: Moments) -> float:
    """Of those that were under way while it went on and not told to come back later; who got none
    counts as who lost patience."""
    waits = [
        sent.ended - sent.began if sent.kind == "ok" else PATIENCE_S
        for sent in predictions
        if sent.began < moments.over and sent.kind != "busy"
    ]
    return round(1e3 * float(np.quantile(waits or [PATIENCE_S], 0.99, method="higher")))
