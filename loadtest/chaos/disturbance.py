"""A disturbance: something done to a service, a question whether it has got over it, and what it
came to: seconds until then, and who was not answered.

A request belongs to the disturbance during which it ended. And after the service has stopped: is
everything there that it acknowledged, and nothing else?
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from data.errors import TelltaleError
from data.home import planned_home
from data.store.resumable_uploads import OPEN
from data.store.store import Store
from loadtest.chaos.clients import PATIENCE_S, Kind, Ledger, Sent
from loadtest.own_service import Service, reached
from loadtest.report import Row, quantiles
from models.registry.current_model import SHIPPED

LEAST_PATIENCE_S = 60.0
PATIENCE_OVER_BAR_S = 30.0
JOBS = 200  # the last ones, all of which are kept once they have ended
NAMED = 3  # of lost or foreign clips, and of causes
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
    back: Callable[[], bool]  # whether all is as before; raises NotReady where it never will be
    notes: Sequence[str] = ()  # figures for people
    broken: Sequence[str] = ()  # what was seen that must not be


@dataclass(frozen=True)
class Disturbance:
    name: str
    what: str
    do: Callable[[Subject], Effect]  # returns when it is over
    bar_s: float  # from then until all is back, at most
    p99_ms: float | None = None  # of other clients' predictions while it goes on, at most


@dataclass(frozen=True)
class Verdict:
    name: str
    row: Row  # its figures
    notes: Sequence[str] = ()
    causes: Mapping[str, int] = field(default_factory=dict)  # of all that was not answered well
    broken: Sequence[str] = ()  # each bar that was, in words


Back = tuple[float | None, str]  # seconds until it was; None where it was not, and why
Moments = tuple[float, float, float]  # it began, was over, and its window was closed


def disturbed(row: Disturbance, subject: Subject) -> Verdict:
    """Done, waited for and counted; where the service does not get over it by itself, it is
    started anew. Raises NotReady where not even that helps."""
    patience_s = max(LEAST_PATIENCE_S, row.bar_s + PATIENCE_OVER_BAR_S)
    began, over, effect = time.monotonic(), 0.0, Effect(lambda: False)
    back: Back = None, f"not within {patience_s:g} s"
    try:
        effect = row.do(subject)
        over = time.monotonic()
        if reached(effect.back, patience_s):
            back = time.monotonic() - over, ""
    except Skipped as error:
        return Verdict(row.name, {"bars": "skipped"}, [f"skipped: {error}"])
    except (TelltaleError, OSError, httpx.HTTPError) as error:
        over, back = over or time.monotonic(), (None, str(error))
    if back[0] is None:
        subject.service.restart()
    time.sleep(SETTLE_S)
    moments = began, over, time.monotonic()
    return verdict_of(row, effect, back, moments, [*subject.ledger.requests])


def verdict_of(
    row: Disturbance, effect: Effect, back: Back, moments: Moments, requests: Sequence[Sent]
) -> Verdict:
    (back_s, why_not), (began, over, closed) = back, moments
    window = [sent for sent in requests if began < sent.ended <= closed]
    predictions = [sent for sent in window if sent.path == "/predict"]
    answered = sorted(sent.ended for sent in predictions if sent.kind == "ok")
    counts = Counter(sent.kind for sent in window)
    # Of those that were under way while it went on and not told to come back later; who got none
    # counts as who lost patience.
    waits_s = [
        sent.ended - sent.began if sent.kind == "ok" else PATIENCE_S
        for sent in predictions
        if sent.began < over and sent.kind != "busy"
    ]
    p99_ms = 1e3 * quantiles(waits_s or [PATIENCE_S], 0.99)[0]
    broken = [*effect.broken]
    broken += [
        f"{counts[kind]} {what}; 0 are allowed" for kind, what in WRONG.items() if counts[kind]
    ]
    if back_s is None:
        broken.append(f"it did not get over it by itself: {' '.join(why_not.split())}")
    elif back_s > row.bar_s:
        broken.append(f"back after {back_s:.1f} s; at most {row.bar_s:g} are allowed")
    if row.p99_ms and p99_ms > row.p99_ms:
        broken.append(f"predictions took {p99_ms:.0f} ms (p99); at most {row.p99_ms:g} are allowed")
    # The wrong ones first, and then the most frequent.
    causes = Counter((s.kind not in WRONG, f"{s.path} {s.words}") for s in window if s.words)
    ordered = sorted(causes.items(), key=lambda item: (item[0][0], -item[1]))
    figures: Row = {
        "bars": "BROKEN" if broken else "kept",
        "back_s": back_s,  # None where it did not get over it
        "at_most": row.bar_s,
        "longest_gap_s": float(np.diff([began, *answered, closed]).max()),
        "p99_ms": p99_ms if row.p99_ms else None,
        **{str(kind): counts[kind] for kind in KINDS},
    }
    words = "; ".join(f"{count} x {cause}" for (_, cause), count in ordered[:NAMED])
    notes = [*effect.notes, *([f"not answered: {words}"] if words else [])]
    return Verdict(row.name, figures, notes, {why: n for (_, why), n in ordered}, broken)


@dataclass(frozen=True)
class Audit:
    kept: int  # how many clips were acknowledged
    lost: Sequence[str]  # digests of those of them that are gone or damaged, or have no receipt
    foreign: Sequence[str]  # of clips in the store that were never sent to it
    strange_versions: Sequence[str] = ()  # that predictions named, but the service does not have
    lost_jobs: Sequence[str] = ()  # taken in to be analysed, of the last; neither done nor waiting


def audited(home: Path, ledger: Ledger, versions: Mapping[str, str]) -> Audit:
    """`versions` -> digest; empty where the service could not tell. Raises NotReady."""
    place = planned_home({"TELLTALE_HOME": str(home)})
    with closing(Store.open(place.database_url, place.storage_uri)) as store:
        lost = [sha256 for sha256 in ledger.kept if not _is_there(store, ledger, sha256)]
        stored = {clip.sha256 for clip in store.clips.find(ledger.domain, limit=None)}
        jobs = [job_id for job_id in ledger.jobs[-JOBS:] if not _is_looked_after(store, job_id)]
    # What is shipped is served before it has its number in the registry.
    known = {*versions.items(), *((SHIPPED, digest) for digest in versions.values())}
    strange = [
        f"version {version} with digest {digest[:12]}"
        for version, digest in ledger.versions
        if versions and (version, digest) not in known
    ]
    return Audit(len(ledger.kept), lost, sorted(stored - ledger.clips), strange, jobs)


def _is_there(store: Store, ledger: Ledger, sha256: str) -> bool:
    """Its row, its bytes by their hash, and its correction."""
    receipt = ledger.kept[sha256]
    with suppress(TelltaleError):
        store.clips.get(ledger.domain, sha256)
        store.clips.read(sha256)
        return receipt is None or store.feedback.get(receipt).clip_sha256 == sha256
    return False


def _is_looked_after(store: Store, job_id: str) -> bool:
    with suppress(TelltaleError):
        job = store.jobs.get(job_id)
        waits = job.state in OPEN and store.uploads.get(job_id).is_whole
        return job.state == "succeeded" or waits
    return False


def broken(stopped_early: str, verdicts: Sequence[Verdict], audit: Audit) -> list[str]:
    found = [f"{one.name}: {words}" for one in verdicts for words in one.broken]
    missed = {
        "acknowledged clips are lost": audit.lost,
        "recordings are lost": audit.lost_jobs,
        "clips are a stranger's": audit.foreign,
        "versions answered that are not here": audit.strange_versions,
    }
    for what, names in missed.items():
        if names:
            found.append(f"{len(names)} {what}, such as {', '.join(names[:NAMED])}")
    if not audit.kept:
        found.append("no clip was acknowledged, so none could be looked for")
    if stopped_early:
        found.append(f"stopped before the end: {stopped_early}")
    return found


def shown_of(about: Row, verdicts: Sequence[Verdict], audit: Audit, wrong: Sequence[str]) -> Row:
    return {
        "about": "; ".join(f"{name} {value}" for name, value in about.items() if value),
        "What was done": [{"disturbance": one.name, **one.row} for one in verdicts],
        "clips": "Counts are of requests that ended meanwhile; busy: 429 or 503 with Retry-After. "
        f"Acknowledged clips {audit.kept}, lost {len(audit.lost)}; a stranger's "
        f"{len(audit.foreign)}. Of the last {JOBS} recordings lost {len(audit.lost_jobs)}.",
        "notes": [f"{one.name}: {words}" for one in verdicts for words in one.notes],
        "bars": [f"BROKEN: {words}" for words in wrong] or "Every bar was kept.",
    }
