"""All that a run found, as rows: the page, the plot and the JSON are made from them.

What the users got and what the replicas did stand on one clock. Times are as exact as the sampling
is frequent.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from loadtest.report import Panel, Row, Rows
from loadtest.scaling.locust_run import LEAVING, LocustRun, Record, Sample, summarise
from loadtest.scaling.presets import Preset

FRESH_S = 3.0  # an older sample says nothing about now
SPAN_S = 2.0  # over which CPU and batch size are taken: the replicas report once a second
NEVER = float("inf")
END = {"at": NEVER, "wanted": 0}  # behind the last step
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


@dataclass(frozen=True)
class Summary:
    overall: Row
    seconds: Rows
    stages: Rows  # what so many users got of each step in the load
    changes: Rows
    causes: Mapping[str, int]
    checks: Rows  # what must hold for a run to pass; the exit code is theirs
    retrain: Rows = ()  # before and during a full one
    fixed: Rows = ()

    @property
    def passed(self) -> bool:
        return all(check["passed"] for check in self.checks)


def summary_of(run: LocustRun, preset: Preset) -> Summary:
    record, samples, steps = run.record, run.samples, run.record["wanted"]
    first, last = steps[0]["at"], record["there"][-1]["at"]
    overall, followed = summarise(record, first, last), changes(steps, samples)
    stages = [
        {"from_s": step["at"] - first, "users": step["wanted"]}
        | summarise(record, step["at"], min(after["at"], last))
        for step, after in pairwise([*steps, END])
    ]
    causes = Counter(answer["cause"] for answer in record["ms"] if answer["cause"]).most_common()
    seconds = per_second(record, samples)
    disturbed = beside_retrain(record, first, last)
    checked = checks(preset, overall, followed, disturbed)
    return Summary(overall, seconds, stages, followed, dict(causes), checked, disturbed)


def fixed_of(run: LocustRun, replicas: int) -> Row:
    steps, last = run.record["wanted"], run.record["there"][-1]["at"]
    row = summarise(run.record, steps[0]["at"], last) | _cores(run.samples[0], run.samples[-1])
    return {"replicas": replicas, "users": max(step["wanted"] for step in steps), **row}


def beside_retrain(record: Record, first: float, last: float) -> list[Row]:
    """Before its order, from then to its end, and the ratio: endless where no epoch was trained."""
    for order in record.get("trained", ()):
        before = summarise(record, first, order["at"])
        during = summarise(record, order["at"], min(last, order["ended"] or last))
        worth = 1 if order["trained"] else NEVER
        times = {key: worth * during[key] / before[key] for key in ("p50_ms", "p95_ms", "p99_ms")}
        told = {"epochs": order["trained"], "ended": bool(order["ended"])}
        return [{"": "before"} | before, {"": "during"} | during | told, {"": "times"} | times]
    return []


def per_second(record: Record, samples: Sequence[Sample]) -> list[Row]:
    """From one look at the users to the next; what was not measured is left out."""
    rows: list[Row] = []
    looks = {look["at"]: look for look in record["there"]}  # two may fall together
    for begin, end in pairwise(looks.values()):
        row = summarise(record, begin["at"], end["at"]) | {"users": begin["there"]}
        row["t_s"] = round(begin["at"] - record["there"][0]["at"], 1)
        if now := _latest(samples, end["at"]):
            versions = {one.get("version") or "" for one in now.replicas.values()}
            row["versions"] = " ".join(sorted(versions)).strip()
            if queued := now.counts("queued"):
                row["queued"] = queued.total()
            if now.states:
                row |= {"running": now.running, "starting": now.wanted - now.running}
                row["stopping"] = now.states.get(LEAVING, 0)
            if past := _latest(samples, now.at - SPAN_S):
                row["cores"] = _cores(past, now)
                answered, batches = (  # counters that only grow
                    (now.counts(name) - past.counts(name)).total()
                    for name in ("answered", "batches")
                )
                row["batch_size"] = round(answered / batches, 2) if batches else None
        rows.append(row)
    return rows


def _latest(samples: Sequence[Sample], at: float) -> Sample | None:
    place = bisect_right(samples, at, key=lambda sample: sample.at)
    return samples[place - 1] if place and at - samples[place - 1].at < FRESH_S else None


def _cores(past: Sample, now: Sample) -> dict[str, float]:
    """Role -> cores in use between two samples; what has ended in between counts as nothing."""
    return {
        role: round(max(0.0, used_s - past.cpu_s.get(role, 0.0)) / (now.at - past.at), 3)
        for role, used_s in now.cpu_s.items()
        if now.at > past.at
    }


def changes(steps: Rows, samples: Sequence[Sample]) -> list[Row]:
    """A row for each step that changed their number; seconds from the step, None: never seen."""
    told, found = [sample for sample in samples if sample.states], list[Row]()
    for before, (step, after) in zip([END, *steps], pairwise([*steps, END]), strict=False):
        start, growing = step["at"], step["wanted"] > before["wanted"]
        earlier = [sample.running for sample in told if sample.at <= start]
        during = [sample for sample in told if start < sample.at <= after["at"]]
        if not earlier or not during:
            continue
        ran, reached = earlier[-1], (max if growing else min)(one.running for one in during)
        answering = (s.at for s in during if len(+s.counts("answered")) >= reached)
        moments = {
            "decided_s": (s.at for s in during if (s.wanted > ran if growing else s.wanted < ran)),
            "running_s": (s.at for s in during if s.running == reached),
            "answering_s": answering if growing else iter(()),
        }
        times = {name: next((at - start for at in each), None) for name, each in moments.items()}
        row = {"users_before": before["wanted"], "users": step["wanted"], "replicas_before": ran}
        if reached != ran:
            found.append({**row, "replicas": reached, **times})
    return found


def checks(preset: Preset, overall: Row, changes: Rows, retrain: Rows = ()) -> list[Row]:
    """Nothing failed either where nothing was asked, so answers are wanted in any case."""
    failed, answered = overall["failed"], overall["answered"]
    found: list[tuple[Any, ...]] = [("requests answered", "> 0", answered, answered > 0)]
    ups = [row["running_s"] for row in changes if row["replicas"] > row["replicas_before"]]
    slowest = max((NEVER if up is None else up for up in ups), default=float("nan"))
    scale_up = "s from a step in load to all new replicas running" if ups else "scale-up"
    ratio = retrain[-1]["p95_ms"] if retrain else NEVER
    seen = {
        "max_failed": ("requests failed", failed),
        "max_p95_ms": ("p95 latency, ms", overall["p95_ms"]),
        "max_scale_up_s": (scale_up, slowest),
        "max_p95_ratio": ("p95 during a full retrain, times that before", ratio),
    }
    if preset.refused_fail:
        seen["max_failed"] = ("requests failed or refused", failed + overall["refused"])
    for name, (what, value) in seen.items():
        if (limit := preset.limits.get(name)) is not None:
            found.append((what, f"≤ {limit:g}", value, value <= limit))
    if "max_scale_up_s" in preset.limits:
        first = changes[0]["replicas_before"] if changes else 0
        last = changes[-1]["replicas"] if changes else 0
        what = "replicas at the end, as at the beginning"
        found.append((what, first, last, first == last > 0))
    return [dict(zip(("what", "limit", "seen", "passed"), row, strict=True)) for row in found]


def panels(summary: Summary, synthetic: bool) -> list[Panel]:
    """Those of which something was measured."""
    from pandas import json_normalize

    rows = json_normalize([*summary.seconds]).set_index("t_s")
    rows = rows.rename(columns=lambda name: name.removeprefix("cores."))
    roles = sorted({role for row in summary.seconds for role in row.get("cores", {})})
    marks = [(stage["from_s"], f"{stage['users']} users") for stage in summary.stages]
    return [
        Panel(
            f"{title} (synthetic)" if synthetic and title not in REAL else title,
            rows.reindex(columns=columns),
            y=unit,
            stacked=stacked,
            marks=marks,
        )
        for title, unit, stacked, columns in [*CHARTS, (CPU, "cores in use", True, roles)]
        if rows.reindex(columns=columns).notna().any(axis=None)
    ]


def tables(summary: Summary, preset: Preset) -> dict[str, Any]:
    others: list[Row] = [{"by": "others", **claim} for claim in preset.claims]
    rows = [("here, as they follow", "-", stage) for stage in summary.stages]
    rows += [("here, without pauses", row["replicas"], row) for row in summary.fixed]
    here: list[Row] = []
    for by, replicas, row in rows:
        got = {name: row[name] for name in ("users", "req_s", "p95_ms")}
        percent = 100 * row["failed"] / max(1, row["failed"] + row["answered"])
        here.append({"by": by, "replicas": replicas, **got, "failed_percent": percent})
    return {
        "Checks": summary.checks,
        "What the users got": [*summary.stages, {"from_s": "all", **summary.overall}],
        "Before and during a full retrain": summary.retrain,
        "How replicas followed, seconds after the step": summary.changes,
        "A fixed number of replicas, users without pauses; on the right cores": summary.fixed,
        "Beside what is published about this scenario": others and [*here, *others],
        "source": f"Published by {preset.source}." if preset.claims else "",
        "note": preset.note,
        "Why requests failed": summary.causes,
    }
