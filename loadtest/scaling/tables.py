"""The figures of a run as tables of words, the same on the terminal and on the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.scaling.outcome import Outcome
from loadtest.scaling.presets import Claim, Preset
from loadtest.scaling.record import Summary

UNKNOWN = "-"
GOT = ("req/s", "p50 ms", "p95 ms", "p99 ms", "failed", "refused")


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def as_text(self) -> str:
        widths = [
            max(len(row[i]) for row in [self.head, *self.rows]) for i in range(len(self.head))
        ]
        lines = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in [self.head, *self.rows]
        ]
        return "\n".join([self.title, *(f"  {line}" for line in lines), *self._noted()])

    def _noted(self) -> list[str]:
        return [f"  ({self.note})"] if self.note else []


def tables(outcome: Outcome, preset: Preset | None) -> list[Table]:
    """Those that have something to say."""
    made = [_checks(outcome), _stages(outcome), _changes(outcome), _starts(outcome)]
    made += [_fixed(outcome), _claims(outcome, preset), _causes(outcome)]
    return [table for table in made if table.rows]


def number(value: float | None, digits: int = 0) -> str:
    return UNKNOWN if value is None else f"{value:,.{digits}f}"


def _got(found: Summary) -> tuple[str, ...]:
    return (
        number(found.req_s, 1),
        number(found.p50_ms),
        number(found.p95_ms),
        number(found.p99_ms),
        number(found.failed),
        number(found.refused),
    )


def _checks(outcome: Outcome) -> Table:
    rows = [(c.what, c.limit, c.seen, "pass" if c.passed else "FAIL") for c in outcome.checks]
    return Table("Checks", ("what", "limit", "seen", ""), rows)


def _stages(outcome: Outcome) -> Table:
    rows = [(f"{s.at_s:.0f} s", number(s.users), *_got(s.summary)) for s in outcome.stages]
    rows.append(("all", "", *_got(outcome.overall)))
    return Table("What the users got, step by step", ("from", "users", *GOT), rows)


def _changes(outcome: Outcome) -> Table:
    rows = [
        (
            f"{change.users_before} -> {change.users}",
            f"{change.replicas_before} -> {change.replicas}",
            number(change.wanted_s, 1),
            number(change.running_s, 1),
            number(change.answering_s, 1) if change.up else "",
        )
        for change in outcome.changes
    ]
    head = ("users", "replicas", "decided s", "running s", "answering s")
    return Table("How replicas followed, seconds after the step", head, rows)


def _starts(outcome: Outcome) -> Table:
    rows = [
        (start.name, number(start.at_s, 1), number(start.seen_s, 1), number(start.ready_in_s, 2))
        for start in outcome.starts
    ]
    head = ("replica", "ordered at s", "ordered to running s", "process to ready s")
    return Table("Cold starts", head, rows)


def _fixed(outcome: Outcome) -> Table:
    groups = sorted({group for row in outcome.fixed for group in row.cores})
    rows = [
        (
            str(row.replicas),
            str(row.users),
            *_got(row.summary),
            *(number(row.cores.get(group), 2) for group in groups),
        )
        for row in outcome.fixed
    ]
    head = ("replicas", "users", *GOT, *groups)
    note = "users without pauses; on the right cores in use, by process"
    return Table("A fixed number of replicas", head, rows, note)


def _claims(outcome: Outcome, preset: Preset | None) -> Table:
    if preset is None or not preset.claims:
        return Table("", (), ())
    ours = [
        ("here", number(stage.users), "as they followed", *_brief(stage.summary))
        for stage in outcome.stages
    ]
    theirs = [_published(claim) for claim in preset.claims]
    head = ("", "users", "replicas", "req/s", "p95 ms", "failed %")
    note = f"published by {preset.source}; other machines, other models"
    return Table("Beside what is published about this scenario", head, [*ours, *theirs], note)


def _brief(found: Summary) -> tuple[str, str, str]:
    asked = found.answered + found.failed
    failed = f"{100 * found.failed / asked:.2g}" if asked else UNKNOWN
    return number(found.req_s, 1), number(found.p95_ms), failed


def _published(claim: Claim) -> tuple[str, ...]:
    figures = (number(claim.req_s, 1), number(claim.p95_ms), claim.failed_percent)
    return ("published", str(claim.users), str(claim.replicas or UNKNOWN), *figures)


def _causes(outcome: Outcome) -> Table:
    rows = [(cause, number(times)) for cause, times in outcome.causes.items()]
    return Table("Why requests failed", ("cause", "times"), rows)
