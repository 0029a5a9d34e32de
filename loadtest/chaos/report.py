"""After the service has stopped: is everything there that it acknowledged, and nothing else? And
the table of what was disturbed, and whether a bar was broken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import TelltaleError
from data.home import planned_home
from data.store.store import Store
from loadtest.chaos.clients import Ledger
from loadtest.chaos.outcome import Outcome
from loadtest.report import Table, page
from models.registry.current_model import SHIPPED

NAMED = 3  # of lost or foreign clips, and of causes


@dataclass(frozen=True)
class Audit:
    """Digests of clips. `lost`: acknowledged, but gone or damaged, or without their receipt;
    `foreign`: in the store, but never sent to it; `kept`: how many were acknowledged. And what
    predictions named as their model, but is no version of the service."""

    kept: int
    lost: Sequence[str]
    foreign: Sequence[str]
    strange_versions: Sequence[str] = ()


def audited(home: Path, ledger: Ledger, versions: Mapping[str, str]) -> Audit:
    """`versions` -> digest, all that there are; empty where the service could not tell. Raises
    NotReady where the database cannot be opened."""
    place = planned_home({"TELLTALE_HOME": str(home)})
    store = Store.open(place.database_url, place.storage_uri)
    try:
        lost = [sha256 for sha256 in ledger.kept if not _is_there(store, ledger, sha256)]
        stored = {clip.sha256 for clip in store.clips.find(ledger.domain, limit=None)}
    finally:
        store.close()
    # What is shipped is served before it has its number in the registry.
    known = {*versions.items(), *((SHIPPED, digest) for digest in versions.values())}
    strange = [
        f"version {version} with digest {digest[:12]}"
        for version, digest in ledger.versions
        if versions and (version, digest) not in known
    ]
    return Audit(len(ledger.kept), lost, sorted(stored - ledger.clips), strange)


def _is_there(store: Store, ledger: Ledger, sha256: str) -> bool:
    """Its row, its bytes by their hash, and its correction."""
    try:
        store.clips.get(ledger.domain, sha256)
        store.clips.read(sha256)
        receipt = ledger.kept[sha256]
        return receipt is None or store.feedback.get(receipt).clip_sha256 == sha256
    except TelltaleError:
        return False


def broken(stopped_early: str, outcomes: Sequence[Outcome], audit: Audit) -> list[str]:
    """Each broken bar in words."""
    found = [f"{one.name}: {words}" for one in outcomes for words in one.broken]
    if audit.lost:
        found.append(f"{len(audit.lost)} acknowledged clips are lost: {_some(audit.lost)}")
    if audit.foreign:
        found.append(f"{len(audit.foreign)} clips are a stranger's: {_some(audit.foreign)}")
    if audit.strange_versions:
        strange = _some(audit.strange_versions)
        found.append(f"predictions by versions that are not here: {strange}")
    if not audit.kept:
        found.append("no clip was acknowledged, so none could be looked for")
    if stopped_early:
        found.append(f"stopped before the end: {stopped_early}")
    return found


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def markdown(
    about: Mapping[str, Any], outcomes: Sequence[Outcome], audit: Audit, wrong: Sequence[str]
) -> str:
    notes = []
    for one in outcomes:
        causes = "; ".join(f"{count} x {words}" for words, count in [*one.causes.items()][:NAMED])
        skipped, causes = one.skipped and f"skipped: {one.skipped}", causes and f"causes: {causes}"
        notes += [f"- {one.name}: {what}" for what in (skipped, *one.notes, causes) if what]
    return page(
        "Chaos",
        "; ".join(f"{name} {value}" for name, value in about.items() if value),
        Table("", [_row(one) for one in outcomes]),
        "Counts are of requests that ended meanwhile; busy: 429 or 503 with Retry-After. "
        f"Acknowledged clips {audit.kept}, lost {len(audit.lost)}; a stranger's "
        f"{len(audit.foreign)}.",
        "\n".join(notes),
        "\n".join(f"- BROKEN: {words}" for words in wrong) or "Every bar was kept.",
    )


def _row(one: Outcome) -> Mapping[str, Any]:
    if one.skipped:
        return {"disturbance": one.name, "bars": "skipped"}
    return {
        "disturbance": one.name,
        "bars": "BROKEN" if one.broken else "kept",
        "back s": one.back_s,
        "at most": one.bar_s,
        "longest gap s": one.gap_s,
        "p99 ms": one.p99_ms,
        **{str(kind): count for kind, count in one.counts.items()},
    }
