"""A run as tables and charts, and a row a second for a spreadsheet."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtest.report import Panel, Points, Table, number
from loadtest.scaling.outcome import Outcome, Row
from loadtest.scaling.presets import Preset
from loadtest.scaling.record import Summary

GOT = ("req/s", "p50 ms", "p95 ms", "p99 ms", "failed", "refused")
PARTS = ("running", "starting", "stopping", "queued", "batch_size", "versions")


def roles(rows: Sequence[Row]) -> list[str]:
    return sorted({role for row in rows for role in row.cores})


def write_csv(path: Path, rows: Sequence[Row], synthetic: bool) -> None:
    """A row a second. What was not measured is empty; `profile` says what the replicas were."""
    lines = [
        {"t_s": row.t_s, "users": row.users}
        | vars(row.got)
        | {name: getattr(row, name) for name in PARTS}
        | {f"cores_{role.replace(' ', '_')}": row.cores.get(role) for role in roles(rows)}
        | {"profile": "synthetic" if synthetic else "real"}
        for row in rows
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, lines[0] if lines else ())
        table.writeheader()
        table.writerows(lines)


def panels(outcome: Outcome, synthetic: bool) -> list[Panel]:
    """Those of which something was measured."""
    rows = outcome.rows
    times = [row.t_s for row in rows]
    marks = [(stage.at_s, f"{stage.users} users") for stage in outcome.stages]

    def panel(
        title: str, unit: str, stacked: bool, **lines: Callable[[Row], float | None]
    ) -> Panel:
        values: dict[str, tuple[Points, Points]] = {
            name.replace("_", " "): (times, [value(row) for row in rows])
            for name, value in lines.items()
        }
        of_it = " (synthetic)" if synthetic and title not in ("Users", "CPU by process") else ""
        return Panel(title + of_it, values, y=unit, stacked=stacked, marks=marks)

    cpu = {role: lambda row, role=role: row.cores.get(role) for role in roles(rows)}
    made = [
        panel(
            "Replicas by state",
            "replicas",
            True,
            running=lambda row: row.running,
            starting=lambda row: row.starting,
            stopping=lambda row: row.stopping,
        ),
        panel(
            "Requests",
            "a second",
            True,
            answered=lambda row: row.got.req_s,
            refused=lambda row: row.got.refused,
            failed=lambda row: row.got.failed,
        ),
        panel(
            "Latency",
            "ms",
            False,
            p50=lambda row: row.got.p50_ms,
            p95=lambda row: row.got.p95_ms,
            p99=lambda row: row.got.p99_ms,
        ),
        panel("Users", "", True, users=lambda row: row.users),
        panel(
            "Queue",
            "clips",
            False,
            waiting_at_the_replicas=lambda row: row.queued,
            clips_a_batch=lambda row: row.batch_size,
        ),
        panel("CPU by process", "cores in use", True, **cpu),
    ]
    return [one for one in made if any(y is not None for _, ys in one.lines.values() for y in ys)]


def tables(outcome: Outcome, preset: Preset | None) -> list[Table]:
    overall = outcome.overall
    ups = [c.running_s for c in outcome.changes if c.up and c.running_s is not None]
    colds = [seconds for s in outcome.starts if (seconds := s.ready_in_s or s.seen_s)]
    stages = [(f"{s.at_s:.0f} s", number(s.users), *_got(s.summary)) for s in outcome.stages]
    cores = sorted({role for fixed in outcome.fixed for role in fixed.cores})
    return [
        Table(
            "Checks",
            ("what", "limit", "seen", ""),
            [(c.what, c.limit, c.seen, "pass" if c.passed else "FAIL") for c in outcome.checks],
        ),
        Table(
            "What the users got, step by step",
            ("from", "users", *GOT),
            [*stages, ("all", "", *_got(overall))],
        ),
        Table(
            "How replicas followed, seconds after the step",
            ("users", "replicas", "decided s", "running s", "answering s"),
            [
                (
                    f"{c.users_before} -> {c.users}",
                    f"{c.replicas_before} -> {c.replicas}",
                    number(c.wanted_s, 1),
                    number(c.running_s, 1),
                    number(c.answering_s, 1) if c.up else "",
                )
                for c in outcome.changes
            ],
            f"Slowest: {number(max(ups, default=None), 1)} s from a step up to all running, "
            f"{number(max(colds, default=None), 1)} s for a cold start.",
        ),
        Table(
            "Cold starts",
            ("replica", "ordered at s", "ordered to running s", "process to ready s"),
            [
                (s.name, number(s.at_s, 1), number(s.seen_s, 1), number(s.ready_in_s, 2))
                for s in outcome.starts
            ],
        ),
        Table(
            "A fixed number of replicas",
            ("replicas", "users", *GOT, *cores),
            [
                (f"{one.replicas}", f"{one.users}", *_got(one.summary))
                + tuple(number(one.cores.get(role), 2) for role in cores)
                for one in outcome.fixed
            ],
            "Users without pauses; on the right cores in use, by process.",
        ),
        *([_claims(outcome, preset)] if preset and preset.claims else []),
        Table(
            "Why requests failed",
            ("cause", "times"),
            [(cause, number(times)) for cause, times in outcome.causes.items()],
        ),
    ]


def _got(found: Summary) -> tuple[str, ...]:
    counts = (found.p50_ms, found.p95_ms, found.p99_ms, found.failed, found.refused)
    return (number(found.req_s, 1), *map(number, counts))


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
    note = f"Published by {preset.source}; other machines, other models."
    return Table("Beside what is published about this scenario", head, rows, note)
