"""A run as one page that needs nothing else, as tables for the terminal and for a spreadsheet.

The page, by the template report.html, holds its style and its pictures; it asks no other machine
for anything.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

from loadtest.scaling.chart import Chart, Line, Mark
from loadtest.scaling.outcome import Outcome, Row
from loadtest.scaling.presets import Preset
from loadtest.scaling.record import Summary
from loadtest.tables import Table, number

FOLDER = Path(__file__).parent
COLOURS = {"replicas": 1, "load client": 5, "HAProxy": 3, "Ray": 2, "curator": 4, "page": 6}
GOT = ("req/s", "p50 ms", "p95 ms", "p99 ms", "failed", "refused")


@dataclass(frozen=True)
class About:
    """What was run. `synthetic` says in words what is not real; empty where all is."""

    title: str
    facts: tuple[str, ...]
    synthetic: str
    command: str
    preset: Preset | None


def write_html(path: Path, outcome: Outcome, about: About) -> None:
    templates = Environment(autoescape=True, loader=FileSystemLoader(FOLDER))
    page = templates.get_template("report.html").render(
        about=about,
        outcome=outcome,
        style=(FOLDER / "report.css").read_text(encoding="utf-8"),
        tiles=_tiles(outcome),
        charts=[chart for chart in _charts(outcome) if chart.measured],
        times=[row.t_s for row in outcome.rows],
        marks=[Mark(stage.at_s, f"{stage.users} users") for stage in outcome.stages],
        tables=tables(outcome, about.preset),
    )
    path.write_text(page, encoding="utf-8")


def write_csv(path: Path, outcome: Outcome, synthetic: bool) -> None:
    """A row a second. What was not measured is empty; `profile` says what the replicas were."""
    groups = sorted({group for row in outcome.rows for group in row.cores})
    plain = [name for name in Row.__dataclass_fields__ if name != "cores"]
    profile = "synthetic" if synthetic else "real"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow([*plain, *(f"cores_{group.replace(' ', '_')}" for group in groups), "profile"])
        for row in outcome.rows:
            cores = [row.cores.get(group) for group in groups]
            out.writerow([*(getattr(row, name) for name in plain), *cores, profile])


def _tiles(outcome: Outcome) -> list[tuple[str, str]]:
    overall = outcome.overall
    ups = [c.running_s for c in outcome.changes if c.up and c.running_s is not None]
    colds = [seconds for s in outcome.starts if (seconds := s.ready_in_s or s.seen_s)]
    return [
        ("req/s over the run", number(overall.req_s, 1)),
        ("p50 / p95 ms", f"{number(overall.p50_ms)} / {number(overall.p95_ms)}"),
        ("failed", number(overall.failed)),
        ("refused (429)", number(overall.refused)),
        ("scale-up, s after the step", number(max(ups, default=None), 1)),
        ("slowest cold start, s", number(max(colds, default=None), 1)),
    ]


def _charts(outcome: Outcome) -> list[Chart]:
    rows = outcome.rows

    def lines(*columns: tuple[str, int, str]) -> list[Line]:
        return [
            Line(name, [getattr(row, c) for row in rows], colour) for name, colour, c in columns
        ]

    groups = sorted({group for row in rows for group in row.cores}, key=_rank)
    cpu = [Line(g, [row.cores.get(g) for row in rows], COLOURS.get(g, 6)) for g in groups]
    states = lines(
        ("running", 3, "running"), ("starting", 2, "starting"), ("stopping", 6, "stopping")
    )
    requests = lines(
        ("answered", 1, "req_s"), ("refused (429)", 2, "refused"), ("failed", 4, "failed")
    )
    latency = lines(("p50", 1, "p50_ms"), ("p95", 2, "p95_ms"), ("p99", 4, "p99_ms"))
    queue = lines(("waiting at the replicas", 2, "queued"), ("clips a batch", 1, "batch_size"))
    return [
        Chart("Replicas by state", "", states, True),
        Chart("Requests", "a second", requests, True),
        Chart("Latency", "ms", latency, False),
        Chart("Users", "", lines(("users", 5, "users")), True),
        Chart("Queue", "clips", queue, False),
        Chart("CPU by process", "cores in use", cpu, True),
    ]


def _rank(group: str) -> int:
    return list(COLOURS).index(group) if group in COLOURS else len(COLOURS)


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
