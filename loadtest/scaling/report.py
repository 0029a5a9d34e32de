"""A run as one page that needs nothing else, and as a table for a spreadsheet.

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
from loadtest.scaling.tables import tables
from loadtest.tables import number

FOLDER = Path(__file__).parent
COLOURS = {"replicas": 1, "load client": 5, "HAProxy": 3, "Ray": 2, "curator": 4, "page": 6}


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
