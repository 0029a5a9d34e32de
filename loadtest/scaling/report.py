"""A run as one page that needs nothing else, and as a table for a spreadsheet.

The page holds its style and its pictures; it asks no other machine for anything.
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from loadtest.scaling.chart import Line, Mark, areas_chart, lines_chart
from loadtest.scaling.outcome import Outcome
from loadtest.scaling.presets import Preset
from loadtest.scaling.series import Row
from loadtest.scaling.tables import Table, number, tables

STYLE = Path(__file__).with_name("report.css")
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
    parts = [
        _top(outcome, about),
        _tiles(outcome),
        "<h2>Over time</h2>",
        *_charts(outcome, " (synthetic)" if about.synthetic else ""),
        *(_table(table) for table in tables(outcome, about.preset)),
        f"<h2>Again</h2><p><code>{escape(about.command)}</code></p>",
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(about.title)}</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def write_csv(path: Path, outcome: Outcome, synthetic: bool) -> None:
    """A row a second. What nobody told is empty; `profile` says what the replicas were."""
    groups = sorted({group for row in outcome.rows for group in row.cores})
    plain = [name for name in Row.__dataclass_fields__ if name != "cores"]
    profile = "synthetic" if synthetic else "real"
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow([*plain, *(f"cores_{group.replace(' ', '_')}" for group in groups), "profile"])
        for row in outcome.rows:
            cores = [row.cores.get(group) for group in groups]
            out.writerow([*(getattr(row, name) for name in plain), *cores, profile])


def _top(outcome: Outcome, about: About) -> str:
    kind, word = ("good", "passed") if outcome.passed else ("bad", "failed")
    facts = "".join(f'<p class="soft">{escape(fact)}</p>' for fact in about.facts)
    note = f'<p class="note"><b>Synthetic.</b> {escape(about.synthetic)}</p>'
    return (
        f'<h1>{escape(about.title)}: <span class="{kind}">{word}</span></h1>{facts}'
        f"{note if about.synthetic else ''}"
    )


def _tiles(outcome: Outcome) -> str:
    overall = outcome.overall
    ups = [c.running_s for c in outcome.changes if c.up and c.running_s is not None]
    colds = [seconds for s in outcome.starts if (seconds := s.ready_in_s or s.seen_s)]
    shown = [
        ("req/s over the run", number(overall.req_s, 1)),
        ("p50 / p95 ms", f"{number(overall.p50_ms)} / {number(overall.p95_ms)}"),
        ("failed", number(overall.failed)),
        ("refused (429)", number(overall.refused)),
        ("scale-up, s after the step", number(max(ups, default=None), 1)),
        ("slowest cold start, s", number(max(colds, default=None), 1)),
    ]
    tiles = "".join(
        f'<div class="tile"><b>{text}</b><span>{what}</span></div>' for what, text in shown
    )
    return f'<div class="tiles">{tiles}</div>'


def _charts(outcome: Outcome, label: str) -> list[str]:
    rows = outcome.rows
    times = [row.t_s for row in rows]
    marks = [Mark(stage.at_s, f"{stage.users} users") for stage in outcome.stages]

    def line(name: str, colour: int, value: Callable[[Row], float | None]) -> Line:
        return Line(name, [value(row) for row in rows], colour)

    states = [
        line("running", 3, lambda row: row.running),
        line("starting", 2, lambda row: row.starting),
        line("stopping", 6, lambda row: row.stopping),
    ]
    requests = [
        line("answered", 1, lambda row: row.req_s),
        line("refused (429)", 2, lambda row: row.refused),
        line("failed", 4, lambda row: row.failed),
    ]
    latency = [
        line("p50", 1, lambda row: row.p50_ms),
        line("p95", 2, lambda row: row.p95_ms),
        line("p99", 4, lambda row: row.p99_ms),
    ]
    queue = [
        line("waiting at the replicas", 2, lambda row: row.queued),
        line("clips a batch", 1, lambda row: row.batch_size),
    ]
    users = [line("users", 5, lambda row: row.users)]
    charts = [
        areas_chart(f"Replicas by state{label}", "", times, states, marks),
        areas_chart(f"Requests{label}", "a second", times, requests, marks),
        lines_chart(f"Latency{label}", "ms", times, latency, marks),
        areas_chart("Users", "", times, users, marks),
        lines_chart(f"Queue{label}", "clips", times, queue, marks),
        areas_chart("CPU by process", "cores in use", times, _cpu(rows), marks),
    ]
    told = [states, requests, latency, users, queue, _cpu(rows)]
    return [chart for chart, lines in zip(charts, told, strict=True) if _says_something(lines)]


def _says_something(lines: Sequence[Line]) -> bool:
    return any(value is not None for line in lines for value in line.values)


def _cpu(rows: Sequence[Row]) -> list[Line]:
    groups = sorted({group for row in rows for group in row.cores}, key=_rank)
    return [Line(g, [row.cores.get(g) for row in rows], COLOURS.get(g, 6)) for g in groups]


def _rank(group: str) -> int:
    return list(COLOURS).index(group) if group in COLOURS else len(COLOURS)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in table.rows)
    note = f'<p class="soft">{escape(table.note)}</p>' if table.note else ""
    return (
        f"<h2>{escape(table.title)}</h2><div class=table><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _cells(row: Sequence[str]) -> str:
    kinds = {"pass": ' class="good"', "FAIL": ' class="bad"'}
    return "".join(f"<td{kinds.get(cell, '')}>{escape(cell)}</td>" for cell in row)
