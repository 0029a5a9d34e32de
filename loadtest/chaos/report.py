"""The table of what was disturbed, and whether a bar was broken."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from loadtest.chaos.audit import Audit
from loadtest.chaos.outcome import KINDS, Outcome

HEAD = ("disturbance", "back s", "at most", "longest gap s", "p99 ms", *KINDS, "")
NAMED = 3  # of lost or foreign clips, and of causes


@dataclass(frozen=True)
class About:
    """Of the run: when, what was served, and how busy the machine was."""

    when: str
    domain: str
    replicas: int
    clients: int
    load_average: tuple[float, float, float]
    stopped_early: str = ""


def publish(out: Path, about: About, outcomes: Sequence[Outcome], audit: Audit) -> int:
    """chaos.md and chaos.json in `out`; 1 where a bar is broken."""
    wrong = broken(about, outcomes, audit)
    text = markdown(about, outcomes, audit)
    facts = {
        "about": asdict(about),
        "disturbances": [
            asdict(one) | {"counts": dict(one.counts), "causes": dict(one.causes)}
            for one in outcomes
        ],
        "audit": asdict(audit),
        "broken": wrong,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "chaos.md").write_text(text, encoding="utf-8")
    (out / "chaos.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"\n{text}\nwritten to {out}/chaos.md and chaos.json")
    return 1 if wrong else 0


def broken(about: About, outcomes: Sequence[Outcome], audit: Audit) -> list[str]:
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
    if about.stopped_early:
        found.append(f"stopped before the end: {about.stopped_early}")
    return found


def markdown(about: About, outcomes: Sequence[Outcome], audit: Audit) -> str:
    wrong = broken(about, outcomes, audit)
    load = ", ".join(f"{one:.1f}" for one in about.load_average)
    lines = [
        f"# Chaos, {about.when}",
        "",
        f"{about.domain}, {about.replicas} replicas, {about.clients} clients; load average before "
        f"{load}. Counts are of requests that ended meanwhile; busy: 429 or 503 with Retry-After.",
        "",
        *_table([HEAD, *(_row(one) for one in outcomes)]),
        "",
        f"Acknowledged clips {audit.kept}, lost {len(audit.lost)}; a stranger's "
        f"{len(audit.foreign)}.",
        "",
        *[f"- {one.name}: {words}" for one in outcomes for words in _said(one)],
        "",
        *([f"- BROKEN: {words}" for words in wrong] or ["Every bar was kept."]),
    ]
    return "\n".join(lines) + "\n"


def _row(one: Outcome) -> tuple[str, ...]:
    if one.skipped:
        return (one.name, *[""] * (len(HEAD) - 2), "skipped")
    counts = dict(one.counts)
    return (
        one.name,
        "-" if one.back_s is None else f"{one.back_s:.1f}",
        f"{one.bar_s:g}",
        f"{one.gap_s:.1f}",
        "" if one.p99_ms is None else f"{one.p99_ms:.0f}",
        *(str(counts[kind]) for kind in KINDS),
        "BROKEN" if one.broken else "kept",
    )


def _said(one: Outcome) -> list[str]:
    causes = [f"{count} x {words}" for words, count in one.causes[:NAMED]]
    skipped = [f"skipped: {one.skipped}"] if one.skipped else []
    return [*skipped, *one.notes, *([f"not answered: {'; '.join(causes)}"] if causes else [])]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEAD))]
    made = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [made[0], rule, *made[1:]]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
