"""The figures of a run as tables of words, the same on the terminal and on the page."""

from loadtest.scaling.outcome import Outcome
from loadtest.scaling.presets import Preset
from loadtest.scaling.record import Summary
from loadtest.tables import Table, number

GOT = ("req/s", "p50 ms", "p95 ms", "p99 ms", "failed", "refused")


def tables(outcome: Outcome, preset: Preset | None) -> list[Table]:
    """Those that have rows."""
    stages = [(f"{s.at_s:.0f} s", number(s.users), *_got(s.summary)) for s in outcome.stages]
    made = [
        Table(
            "Checks",
            ("what", "limit", "seen", ""),
            [(c.what, c.limit, c.seen, "pass" if c.passed else "FAIL") for c in outcome.checks],
        ),
        Table(
            "What the users got, step by step",
            ("from", "users", *GOT),
            [*stages, ("all", "", *_got(outcome.overall))],
        ),
        _changes(outcome),
        Table(
            "Cold starts",
            ("replica", "ordered at s", "ordered to running s", "process to ready s"),
            [
                (s.name, number(s.at_s, 1), number(s.seen_s, 1), number(s.ready_in_s, 2))
                for s in outcome.starts
            ],
        ),
        _fixed(outcome),
        *([_claims(outcome, preset)] if preset and preset.claims else []),
        Table(
            "Why requests failed",
            ("cause", "times"),
            [(cause, number(times)) for cause, times in outcome.causes.items()],
        ),
    ]
    return [table for table in made if table.rows]


def _got(found: Summary) -> tuple[str, ...]:
    counts = (found.p50_ms, found.p95_ms, found.p99_ms, found.failed, found.refused)
    return (number(found.req_s, 1), *map(number, counts))


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


def _fixed(outcome: Outcome) -> Table:
    groups = sorted({group for fixed in outcome.fixed for group in fixed.cores})
    rows = [
        (f"{one.replicas}", f"{one.users}", *_got(one.summary))
        + tuple(number(one.cores.get(group), 2) for group in groups)
        for one in outcome.fixed
    ]
    head = ("replicas", "users", *GOT, *groups)
    note = "users without pauses; on the right cores in use, by process"
    return Table("A fixed number of replicas", head, rows, note)


def _claims(outcome: Outcome, preset: Preset) -> Table:
    rows = []
    for stage in outcome.stages:
        found = stage.summary
        asked = found.answered + found.failed
        failed = f"{100 * found.failed / asked:.2g}" if asked else "-"
        latency = (number(found.req_s, 1), number(found.p95_ms))
        rows.append(("here", number(stage.users), "as they followed", *latency, failed))
    for claim in preset.claims:
        latency = (number(claim.req_s, 1), number(claim.p95_ms))
        scale = (str(claim.users), str(claim.replicas))
        rows.append(("published", *scale, *latency, claim.failed_percent))
    head = ("", "users", "replicas", "req/s", "p95 ms", "failed %")
    note = f"published by {preset.source}; other machines, other models"
    return Table("Beside what is published about this scenario", head, rows, note)
