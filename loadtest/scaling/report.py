"""A run as tables and charts."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np

from loadtest.report import Panel, Table, shown
from loadtest.scaling.outcome import Outcome, Stage
from loadtest.scaling.presets import Preset

# title, unit, whether stacked, and the columns of a row that are shown
CHARTS = (
    ("Replicas by state", "replicas", True, ("running", "starting", "stopping")),
    ("Requests", "a second", True, ("got.req_s", "got.failed", "got.refused")),
    ("Latency", "ms", False, ("got.p50_ms", "got.p95_ms", "got.p99_ms")),
    ("Users", "", True, ("users",)),
    ("Queue", "clips", False, ("queued", "batch_size")),
)
REAL = ("Users", "CPU by process")  # of a synthetic run, too


def panels(outcome: Outcome, synthetic: bool) -> list[Panel]:
    """Those of which something was measured."""
    rows = outcome.rows
    charts = [
        (
            title,
            unit,
            stacked,
            {of.removeprefix("got."): [attrgetter(of)(r) for r in rows] for of in columns},
        )
        for title, unit, stacked, columns in CHARTS
    ]
    roles = sorted({role for row in rows for role in row.cores})
    cores = {role: [row.cores.get(role) for row in rows] for role in roles}
    charts.append(("CPU by process", "cores in use", True, cores))
    marks = [(stage.at_s, f"{stage.users} users") for stage in outcome.stages]
    return [
        Panel(
            f"{title} (synthetic)" if synthetic and title not in REAL else title,
            {name: ([row.t_s for row in rows], values) for name, values in lines.items()},
            y=unit,
            stacked=stacked,
            marks=marks,
        )
        for title, unit, stacked, lines in charts
        if np.isfinite(np.array([*lines.values()], float)).any()
    ]


def tables(outcome: Outcome, preset: Preset) -> list[Table]:
    ups = [c.running_s for c in outcome.changes if c.up and c.running_s is not None]
    colds = [start.seen_s for start in outcome.starts if start.seen_s is not None]
    slowest = (
        f"Slowest: {shown(max(ups, default=None))} s from a step up to all running, "
        f"{shown(max(colds, default=None))} s for a cold start."
    )
    return [
        Table("Checks", [vars(check) for check in outcome.checks]),
        Table(
            "What the users got, step by step",
            [*map(_got, outcome.stages), {"from s": "all", **vars(outcome.overall)}],
        ),
        Table(
            "How replicas followed, seconds after the step",
            [vars(change) for change in outcome.changes],
            slowest,
        ),
        Table("Cold starts, seconds", [vars(start) for start in outcome.starts]),
        Table(
            "A fixed number of replicas",
            [{"replicas": one.replicas, **_got(one), **one.cores} for one in outcome.fixed],
            "Users without pauses; on the right cores in use, by process.",
        ),
        Table(
            "Beside what is published about this scenario",
            [*map(_here, outcome.stages), *({"by": "others", **claim} for claim in preset.claims)]
            if preset.claims
            else [],
            f"Published by {preset.source}; other machines, other models.",
        ),
        Table(
            "Why requests failed",
            [{"cause": cause, "times": times} for cause, times in outcome.causes.items()],
        ),
    ]


def _got(stage: Stage) -> Mapping[str, Any]:
    return {"from s": stage.at_s, "users": stage.users, **vars(stage.summary)}


def _here(stage: Stage) -> Mapping[str, Any]:
    """As others publish it."""
    found = stage.summary
    asked = found.answered + found.failed
    return {
        "by": "here",
        "users": stage.users,
        "replicas": "as they followed",
        "req_s": found.req_s,
        "p95_ms": found.p95_ms,
        "failed_percent": 100 * found.failed / asked if asked else None,
    }
