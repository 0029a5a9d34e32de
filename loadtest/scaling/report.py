"""A run as tables and charts."""

import numpy as np

from loadtest.report import Panel, Table, shown
from loadtest.scaling.outcome import Outcome
from loadtest.scaling.presets import Preset

# title, unit, whether stacked, and the columns of a second that are shown
CHARTS = (
    ("Replicas by state", "replicas", True, ("running", "starting", "stopping")),
    ("Requests", "a second", True, ("req_s", "failed", "refused")),
    ("Latency", "ms", False, ("p50_ms", "p95_ms", "p99_ms")),
    ("Users", "", True, ("users",)),
    ("Queue", "clips", False, ("queued", "batch_size")),
)
CPU = "CPU by process"
REAL = ("Users", CPU)  # of a synthetic run, too


def panels(outcome: Outcome, synthetic: bool) -> list[Panel]:
    """Those of which something was measured."""
    rows = outcome.seconds
    roles = sorted({role for row in rows for role in row.get("cores", {})})
    charts = [
        (title, unit, stacked, {name: [row.get(name) for row in rows] for name in columns})
        for title, unit, stacked, columns in CHARTS
    ]
    cores = {role: [row.get("cores", {}).get(role) for row in rows] for role in roles}
    return [
        Panel(
            f"{title} (synthetic)" if synthetic and title not in REAL else title,
            {name: ([row["t_s"] for row in rows], values) for name, values in lines.items()},
            y=unit,
            stacked=stacked,
            marks=[(stage["from_s"], f"{stage['users']} users") for stage in outcome.stages],
        )
        for title, unit, stacked, lines in [*charts, (CPU, "cores in use", True, cores)]
        if np.isfinite(np.array([*lines.values()], float)).any()
    ]


def tables(outcome: Outcome, preset: Preset) -> list[Table]:
    ups = [row["running_s"] for row in outcome.changes if row["replicas"] > row["replicas_before"]]
    colds = [row["running_after_s"] for row in outcome.starts]
    up, cold = (shown(max(filter(None, found), default=None)) for found in (ups, colds))
    causes = [{"cause": cause, "times": times} for cause, times in outcome.causes.items()]
    here = [
        {
            "by": "here",
            "users": stage["users"],
            "replicas": "as they followed",
            "req_s": stage["req_s"],
            "p95_ms": stage["p95_ms"],
            "failed_percent": 100 * stage["failed"] / max(1, stage["failed"] + stage["answered"]),
        }
        for stage in outcome.stages
    ]
    published = [{"by": "others", **claim} for claim in preset.claims]
    return [
        Table("Checks", outcome.checks),
        Table("What the users got", [*outcome.stages, {"from_s": "all", **outcome.overall}]),
        Table(
            "How replicas followed, seconds after the step",
            outcome.changes,
            f"Slowest: {up} s from a step up to all running, {cold} s for a cold start.",
        ),
        Table("Cold starts", outcome.starts),
        Table(
            "A fixed number of replicas",
            outcome.fixed,
            "Users without pauses; on the right cores in use, by process.",
        ),
        Table(
            "Beside what is published about this scenario",
            [*here, *published] if published else [],
            f"Published by {preset.source}; other machines, other models.",
        ),
        Table("Why requests failed", causes),
    ]
