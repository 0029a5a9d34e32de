"""A run as tables and charts."""

from operator import attrgetter

from loadtest.report import Panel, Table, number
from loadtest.scaling.outcome import Outcome
from loadtest.scaling.presets import Preset
from loadtest.scaling.record import Summary

GOT = ("req/s", "p50 ms", "p95 ms", "p99 ms", "failed", "refused")


# title, unit, whether stacked, and by each line's name what it shows of a row
CHARTS = (
    ("Replicas by state", "replicas", True, {n: n for n in ("running", "starting", "stopping")}),
    ("Requests", "a second", True, {"answered": "got.req_s"} | {n: f"got.{n}" for n in GOT[-2:]}),
    ("Latency", "ms", False, {n: f"got.{n}_ms" for n in ("p50", "p95", "p99")}),
    ("Users", "", True, {"users": "users"}),
    ("Queue", "clips", False, {"waiting at the replicas": "queued", "a batch": "batch_size"}),
)
REAL = ("Users", "CPU by process")  # of a synthetic run, too


def panels(outcome: Outcome, synthetic: bool) -> list[Panel]:
    """Those of which something was measured."""
    rows = outcome.rows
    roles = sorted({role for row in rows for role in row.cores})
    found = {
        (title, unit, stacked): {
            n: [attrgetter(of)(row) for row in rows] for n, of in lines.items()
        }
        for title, unit, stacked, lines in CHARTS
    }
    cores = {role: [row.cores.get(role) for row in rows] for role in roles}
    found["CPU by process", "cores in use", True] = cores
    times = [row.t_s for row in rows]
    marks = [(stage.at_s, f"{stage.users} users") for stage in outcome.stages]
    return [
        Panel(
            f"{title} (synthetic)" if synthetic and title not in REAL else title,
            {name: (times, values) for name, values in lines.items()},
            y=unit,
            stacked=stacked,
            marks=marks,
        )
        for (title, unit, stacked), lines in found.items()
        if any(value is not None for values in lines.values() for value in values)
    ]


def tables(outcome: Outcome, preset: Preset) -> list[Table]:
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
        *([_claims(outcome, preset)] if preset.claims else []),
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
