"""All that a run found, as rows: the page, the plot and the JSON are made from them.

What the users got and what the replicas did stand on one clock. Times are as exact as the sampling
is frequent.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from loadtest.report import Panel, Row, shown
from loadtest.scaling.presets import Preset
from loadtest.scaling.run import LEAVING, RUNNING, Record, Run, Sample, summarise

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
class Outcome:
    overall: Row
    seconds: Sequence[Row]
    stages: Sequence[Row]  # what so many users got of each step in the load
    changes: Sequence[Row]
    starts: Sequence[Row]
    causes: Mapping[str, int]
    checks: Sequence[Row]  # what must hold for a run to pass; the exit code is theirs
    fixed: Sequence[Row] = ()

    @property
    def passed(self) -> bool:
        return all(check["passed"] for check in self.checks)


def outcome_of(run: Run, preset: Preset) -> Outcome:
    record, samples, steps = run.record, run.samples, run.record["wanted"]
    first, last = steps[0]["at"], record["there"][-1]["at"]
    overall, followed = summarise(record, first, last), changes(steps, samples)
    stages = [
        {"from_s": step["at"] - first, "users": step["wanted"]}
        | summarise(record, step["at"], min(after["at"], last))
        for step, after in pairwise([*steps, END])
    ]
    causes = Counter(answer["cause"] for answer in record["ms"] if answer["cause"])
    return Outcome(
        overall,
        per_second(record, samples),
        stages,
        followed,
        starts(samples, first),
        dict(causes.most_common()),
        checks(preset, overall, followed),
    )


def fixed_of(run: Run, replicas: int) -> Row:
    """Of so many; on the right cores in use, by process."""
    steps, last = run.record["wanted"], run.record["there"][-1]["at"]
    row = {"replicas": replicas, "users": max(step["wanted"] for step in steps)}
    got = summarise(run.record, steps[0]["at"], last)
    return row | got | _cores(run.samples[0], run.samples[-1])


def per_second(record: Record, samples: Sequence[Sample]) -> list[Row]:
    """From one look at the users to the next; what was not measured is left out."""
    rows: list[Row] = []
    for begin, end in pairwise(record["there"]):
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


def changes(steps: Sequence[Row], samples: Sequence[Sample]) -> list[Row]:
    """One for each step after which another number of replicas ran. Seconds count from the step;
    None: not seen to happen."""
    sampled = [sample for sample in samples if sample.states]
    found = []
    for before, step, after in zip([{"wanted": 0}, *steps], steps, [*steps[1:], END], strict=False):
        earlier = [sample for sample in sampled if sample.at <= step["at"]]
        during = [sample for sample in sampled if step["at"] < sample.at <= after["at"]]
        if earlier and during:
            found.append(_change(before, step, earlier[-1].running, during))
    return [row for row in found if row["replicas"] != row["replicas_before"]]


def _change(before: Row, step: Row, replicas: int, during: Sequence[Sample]) -> Row:
    """From so many `replicas`."""
    growing = step["wanted"] > before["wanted"]
    reached = (max if growing else min)(sample.running for sample in during)

    def first(when: Callable[[Sample], bool]) -> float | None:
        return next((sample.at - step["at"] for sample in during if when(sample)), None)

    def decided(sample: Sample) -> bool:
        return sample.wanted > replicas if growing else sample.wanted < replicas

    def answering(sample: Sample) -> bool:
        return growing and len(+sample.counts("answered")) >= reached

    return {
        "users_before": before["wanted"],
        "users": step["wanted"],
        "replicas_before": replicas,
        "replicas": reached,
        "decided_s": first(decided),
        "running_s": first(lambda sample: sample.running == reached),
        "answering_s": first(answering),
    }


def starts(samples: Sequence[Sample], begun: float) -> list[Row]:
    """Replicas that were not there at the first sample, in the order of their coming: how long
    after the first step each was ordered, and how long after that it was seen to run."""
    looks: dict[str, list[tuple[float, Row]]] = {}
    for sample in (sample for sample in samples if sample.states):
        for name, row in sample.replicas.items():
            looks.setdefault(name, []).append((sample.at, row))
    first = min((seen[0][0] for seen in looks.values()), default=0.0)
    found: list[Row] = []
    for name, seen in looks.items():
        ordered = next(
            (row["start_time_s"] for _, row in seen if "start_time_s" in row), seen[0][0]
        )
        ran = next((at - ordered for at, row in seen if row.get("state") in RUNNING), None)
        if seen[0][0] > first:
            found.append({"replica": name, "ordered_at_s": ordered - begun, "running_after_s": ran})
    return found


def checks(preset: Preset, overall: Row, changes: Sequence[Row]) -> list[Row]:
    """One for each limit that is set: max_failed, max_p95_ms, max_scale_up_s. Nothing failed
    either where nothing was asked, so answers are wanted in any case."""
    limits, refused_fail = preset.limits, preset.refused_fail
    answered = overall["answered"]
    found: list[tuple[Any, ...]] = [("requests answered", "> 0", answered, answered > 0)]
    if (limit := limits.get("max_failed")) is not None:
        what = "requests failed or refused" if refused_fail else "requests failed"
        number = overall["failed"] + (overall["refused"] if refused_fail else 0)
        found.append((what, f"≤ {limit:.0f}", number, number <= limit))
    if (limit := limits.get("max_p95_ms")) is not None:
        p95_ms = overall["p95_ms"]
        found.append(("p95 latency, ms", f"≤ {limit:.0f}", p95_ms, p95_ms <= limit))
    if (limit := limits.get("max_scale_up_s")) is not None:
        ups = [row["running_s"] for row in changes if row["replicas"] > row["replicas_before"]]
        slowest = max((NEVER if up is None else up for up in ups), default=None)
        what = "s from a step in load to all new replicas running" if ups else "scale-up"
        found.append((what, f"≤ {limit:g}", slowest, slowest is not None and slowest <= limit))
        first = changes[0]["replicas_before"] if changes else 0
        last = changes[-1]["replicas"] if changes else 0
        what = "replicas at the end, as at the beginning"
        found.append((what, first, last, bool(last) and first == last))
    return [dict(zip(("what", "limit", "seen", "passed"), row, strict=True)) for row in found]


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


def tables(outcome: Outcome, preset: Preset) -> dict[str, Any]:
    ups = [row["running_s"] for row in outcome.changes if row["replicas"] > row["replicas_before"]]
    colds = [row["running_after_s"] for row in outcome.starts]
    up, cold = (shown(max(filter(None, found), default=None)) for found in (ups, colds))
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
    return {
        "Checks": outcome.checks,
        "What the users got": [*outcome.stages, {"from_s": "all", **outcome.overall}],
        "How replicas followed, seconds after the step": outcome.changes,
        "slowest": f"Slowest: {up} s from a step up to all running, {cold} s for a cold start.",
        "Cold starts": outcome.starts,
        "A fixed number of replicas, users without pauses; on the right cores": outcome.fixed,
        "Beside what is published about this scenario": [*here, *published] if published else [],
        "source": f"Published by {preset.source}." if published else "",
        "Why requests failed": outcome.causes,
    }
