"""All that a run found, as one value: the terminal, the page and the table are made from it.

What the users got and what the replicas did stand on one clock. Times are as exact as the sampling
is frequent.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from loadtest.scaling.presets import Preset
from loadtest.scaling.run import Record, Run, Summary, Users, summarise
from loadtest.scaling.sampler import LEAVING, RUNNING, ReplicaSeen, Sample

FRESH_S = 3.0  # an older sample says nothing about now
SPAN_S = 2.0  # over which CPU and batch size are taken: the replicas report once a second
NEVER = float("inf")


@dataclass(frozen=True)
class Row:
    """One second, `t_s` after the first; None where not measured. `cores`: CPU by process."""

    t_s: float
    users: int
    got: Summary
    running: int | None = None
    starting: int | None = None
    stopping: int | None = None
    queued: int | None = None
    batch_size: float | None = None
    versions: str = ""
    cores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """What so many users got of a step in the load, or of a fixed number of `replicas`; `cores` as
    in Row."""

    users: int
    summary: Summary
    at_s: float = 0.0
    replicas: int | None = None
    cores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What one step in the load led to. Seconds count from the step; None: not seen to happen."""

    users_before: int
    users: int
    replicas_before: int
    replicas: int
    wanted_s: float | None
    running_s: float | None
    answering_s: float | None

    @property
    def up(self) -> bool:
        return self.replicas > self.replicas_before


@dataclass(frozen=True)
class Start:
    """One replica that came while it was watched, `at_s` seconds after the first step."""

    name: str
    at_s: float
    seen_s: float | None


@dataclass(frozen=True)
class Check:
    """What must hold for a run to pass; the exit code is theirs."""

    what: str
    limit: str
    seen: str
    passed: bool


@dataclass(frozen=True)
class Outcome:
    overall: Summary
    rows: Sequence[Row]
    stages: Sequence[Stage]
    changes: Sequence[Change]
    starts: Sequence[Start]
    causes: Mapping[str, int]
    checks: Sequence[Check]
    fixed: Sequence[Stage] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def outcome_of(run: Run, preset: Preset) -> Outcome:
    record, samples = run.record, run.samples
    first, last = record.steps[0].at, record.there[-1].at
    overall = summarise(record, first, last)
    followed = changes(record.steps, samples)
    causes = Counter(answer.cause for answer in record.answers if answer.cause)
    return Outcome(
        overall,
        per_second(record, samples),
        [
            Stage(step.users, summarise(record, step.at, min(end, last)), step.at - first)
            for step, end in _spans(record.steps)
        ],
        followed,
        starts(samples, first),
        dict(causes.most_common()),
        checks(preset, overall, followed),
    )


def fixed_of(run: Run, replicas: int) -> Stage:
    steps = run.record.steps
    got = summarise(run.record, steps[0].at, run.record.there[-1].at)
    cores = _cores(run.samples[0], run.samples[-1])
    return Stage(max(step.users for step in steps), got, replicas=replicas, cores=cores)


def _spans(steps: Sequence[Users]) -> list[tuple[Users, float]]:
    """Each step with the moment at which the next begins."""
    return [(step, after.at) for step, after in pairwise([*steps, Users(NEVER, 0)])]


def per_second(record: Record, samples: Sequence[Sample]) -> list[Row]:
    """From one look at the users to the next."""
    return [_row(record, begin, end.at, samples) for begin, end in pairwise(record.there)]


def _row(record: Record, begin: Users, end: float, samples: Sequence[Sample]) -> Row:
    now = _latest(samples, end)
    past = _latest(samples, now.at - SPAN_S) if now else None
    known = now if now and now.states else None
    queued = now.counts("queued") if now else None
    return Row(
        t_s=round(begin.at - record.there[0].at, 1),
        users=begin.users,
        got=summarise(record, begin.at, end),
        running=known.running if known else None,
        starting=known.wanted - known.running if known else None,
        stopping=known.states.get(LEAVING, 0) if known else None,
        queued=queued.total() if queued else None,
        batch_size=_batch_size(past, now) if past and now else None,
        versions=" ".join(
            sorted({one.version for one in now.replicas if one.version} if now else [])
        ),
        cores=_cores(past, now) if past and now else {},
    )


def _latest(samples: Sequence[Sample], at: float) -> Sample | None:
    place = bisect_right(samples, at, key=lambda sample: sample.at)
    return samples[place - 1] if place and at - samples[place - 1].at < FRESH_S else None


def _batch_size(past: Sample, now: Sample) -> float | None:
    """Clips a batch over the span, from counters that only grow."""
    answered, batches = (
        (now.counts(name) - past.counts(name)).total() for name in ("answered", "batches")
    )
    return round(answered / batches, 2) if batches else None


def _cores(past: Sample, now: Sample) -> dict[str, float]:
    """Role -> cores in use between two samples; what has ended in between counts as nothing."""
    return {
        role: round(max(0.0, used_s - past.cpu_s.get(role, 0.0)) / (now.at - past.at), 3)
        for role, used_s in now.cpu_s.items()
        if now.at > past.at
    }


def changes(steps: Sequence[Users], samples: Sequence[Sample]) -> list[Change]:
    """One for each step after which another number of replicas ran."""
    sampled = [sample for sample in samples if sample.states]
    found = []
    users = 0
    for step, end in _spans(steps):
        earlier = [sample for sample in sampled if sample.at <= step.at]
        during = [sample for sample in sampled if step.at < sample.at <= end]
        if earlier and during:
            found.append(_change(users, step, earlier[-1].running, during))
        users = step.users
    return [change for change in found if change.replicas != change.replicas_before]


def _change(users: int, step: Users, replicas: int, during: Sequence[Sample]) -> Change:
    """From so many `users` and `replicas`."""
    growing = step.users > users
    reached = (max if growing else min)(sample.running for sample in during)

    def first(when: Callable[[Sample], bool]) -> float | None:
        return next((sample.at - step.at for sample in during if when(sample)), None)

    def moved(sample: Sample) -> bool:
        return sample.wanted > replicas if growing else sample.wanted < replicas

    def answering(sample: Sample) -> bool:
        return growing and sum(bool(one.answered) for one in sample.replicas) >= reached

    there = first(lambda sample: sample.running == reached)
    return Change(users, step.users, replicas, reached, first(moved), there, first(answering))


def starts(samples: Sequence[Sample], begun: float) -> list[Start]:
    """Replicas that were not there at the first sample, in the order of their coming."""
    seen: dict[str, list[tuple[float, ReplicaSeen]]] = {}
    for sample in (sample for sample in samples if sample.states):
        for replica in sample.replicas:
            seen.setdefault(replica.name, []).append((sample.at, replica))
    first = min((looks[0][0] for looks in seen.values()), default=0.0)
    return [_start(name, looks, begun) for name, looks in seen.items() if looks[0][0] > first]


def _start(name: str, looks: Sequence[tuple[float, ReplicaSeen]], begun: float) -> Start:
    came = next((r.start_time_s for _, r in looks if r.start_time_s is not None), looks[0][0])
    ran = next((at - came for at, r in looks if r.state in RUNNING), None)
    return Start(name, came - begun, ran)


def checks(preset: Preset, overall: Summary, changes: Sequence[Change]) -> list[Check]:
    """One for each limit that is set: max_failed, max_p95_ms, max_scale_up_s. Nothing failed
    either where nothing was asked, so answers are wanted in any case."""
    limits, refused_fail = preset.limits, preset.refused_fail
    found = [Check("requests answered", "> 0", str(overall.answered), overall.answered > 0)]
    if (limit := limits.get("max_failed")) is not None:
        what = "requests failed or refused" if refused_fail else "requests failed"
        number = overall.failed + (overall.refused if refused_fail else 0)
        found.append(Check(what, f"≤ {limit:.0f}", str(number), number <= limit))
    if (limit := limits.get("max_p95_ms")) is not None:
        p95 = overall.p95_ms
        found.append(Check("p95 latency", f"≤ {limit:.0f} ms", f"{p95:.0f} ms", p95 <= limit))
    if (limit := limits.get("max_scale_up_s")) is not None:
        ups = [NEVER if one.running_s is None else one.running_s for one in changes if one.up]
        seen = f"{max(ups):.1f} s" if ups else "no replica was added"
        what = "step in load to all new replicas running" if ups else "scale-up"
        found.append(Check(what, f"≤ {limit:g} s", seen, bool(ups) and max(ups) <= limit))
        first, last = (changes[0].replicas_before, changes[-1].replicas) if changes else (0, 0)
        what = "replicas at the end, as at the beginning"
        found.append(Check(what, str(first), str(last), bool(last) and first == last))
    return found
