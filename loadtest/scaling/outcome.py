"""All that a run found, as one value: the terminal, the page and the table are made from it.

What the users got and what the replicas did stand on one clock. Times are as exact as the sampling
is frequent. Where a replica reports its own start, its cold start is its own figure, from process
to ready; else it is what was seen from outside.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from loadtest.scaling.presets import Preset
from loadtest.scaling.record import Record, Summary, Users, summarise
from loadtest.scaling.run import Run
from loadtest.scaling.sampler import ReplicaSeen, Sample

FRESH_S = 3.0  # an older sample says nothing about now
SPAN_S = 2.0  # over which CPU and batch size are taken: the replicas report once a second
RUNNING = ("RUNNING", "UPDATING")
LEAVING = "STOPPING"
NEVER = float("inf")


@dataclass(frozen=True)
class Row:
    """One second, `t_s` after the first; None where not measured. `cores`: CPU by process."""

    t_s: float
    users: int
    got: Summary
    running: int | None
    starting: int | None
    stopping: int | None
    queued: int | None
    batch_size: float | None
    versions: str
    cores: dict[str, float]


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
    ready_in_s: float | None


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
    first, last = _span(record)
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
    users = max(step.users for step in run.record.steps)
    got, cores = summarise(run.record, *_span(run.record)), _cores(run.samples[0], run.samples[-1])
    return Stage(users, got, replicas=replicas, cores=cores)


def _span(record: Record) -> tuple[float, float]:
    return record.steps[0].at, record.there[-1].at


def _spans(steps: Sequence[Users]) -> list[tuple[Users, float]]:
    """Each step with the moment at which the next begins."""
    return [(step, after.at) for step, after in pairwise([*steps, Users(NEVER, 0)])]


def per_second(record: Record, samples: Sequence[Sample]) -> list[Row]:
    return [_row(record, number, samples) for number in range(len(record.there) - 1)]


def _row(record: Record, number: int, samples: Sequence[Sample]) -> Row:
    """From one look at the users to the next."""
    begin, end = record.there[number], record.there[number + 1].at
    now = _latest(samples, end)
    past = _latest(samples, now.at - SPAN_S) if now else None
    known = now if now and now.states else None
    replicas = now.replicas if now else ()
    queued = [replica.queued for replica in replicas if replica.queued is not None]
    return Row(
        t_s=round(begin.at - record.there[0].at, 1),
        users=begin.users,
        got=summarise(record, begin.at, end),
        running=running(known) if known else None,
        starting=wanted(known) - running(known) if known else None,
        stopping=known.states.get(LEAVING, 0) if known else None,
        queued=sum(queued) if queued else None,
        batch_size=_batch_size(past.replicas, replicas) if past else None,
        versions=" ".join(sorted({r.version for r in replicas if r.version})),
        cores=_cores(past, now) if past and now else {},
    )


def _latest(samples: Sequence[Sample], at: float) -> Sample | None:
    place = bisect_right(samples, at, key=lambda sample: sample.at)
    return samples[place - 1] if place and at - samples[place - 1].at < FRESH_S else None


def _batch_size(past: Sequence[ReplicaSeen], now: Sequence[ReplicaSeen]) -> float | None:
    """Clips a batch over the span, from counters that only grow."""
    before = {replica.name: replica for replica in past}
    answered = batches = 0
    for one in now:
        earlier = before.get(one.name)
        if earlier and one.answered is not None and one.batches is not None:
            answered += one.answered - (earlier.answered or 0)
            batches += one.batches - (earlier.batches or 0)
    return round(answered / batches, 2) if batches > 0 else None


def _cores(past: Sample, now: Sample) -> dict[str, float]:
    """Role -> cores in use between two samples; what has ended in between counts as nothing."""
    span_s = now.at - past.at
    return {
        role: round(max(0.0, used_s - past.cpu_s.get(role, 0.0)) / span_s, 3)
        for role, used_s in now.cpu_s.items()
        if span_s > 0
    }


def running(sample: Sample) -> int:
    return sum(sample.states.get(state, 0) for state in RUNNING)


def wanted(sample: Sample) -> int:
    return sum(number for state, number in sample.states.items() if state != LEAVING)


def changes(steps: Sequence[Users], samples: Sequence[Sample]) -> list[Change]:
    """One for each step after which another number of replicas ran."""
    sampled = [sample for sample in samples if sample.states]
    found = []
    users = 0
    for step, end in _spans(steps):
        earlier = [sample for sample in sampled if sample.at <= step.at]
        during = [sample for sample in sampled if step.at < sample.at <= end]
        if earlier and during:
            found.append(_change(users, step, running(earlier[-1]), during))
        users = step.users
    return [change for change in found if change.replicas != change.replicas_before]


def _change(users: int, step: Users, replicas: int, during: Sequence[Sample]) -> Change:
    """From so many `users` and `replicas`."""
    growing = step.users > users
    reached = (max if growing else min)(running(sample) for sample in during)

    def first(when: Callable[[Sample], bool]) -> float | None:
        return next((sample.at - step.at for sample in during if when(sample)), None)

    def moved(sample: Sample) -> bool:
        return wanted(sample) > replicas if growing else wanted(sample) < replicas

    def answering(sample: Sample) -> bool:
        return growing and sum(bool(one.answered) for one in sample.replicas) >= reached

    there = first(lambda sample: running(sample) == reached)
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
    came = next((r.started_at for _, r in looks if r.started_at is not None), looks[0][0])
    ran = next((at - came for at, r in looks if r.state in RUNNING), None)
    own = next((r.ready_in_s for _, r in looks if r.ready_in_s is not None), None)
    return Start(name, came - begun, ran, own)


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
        p95 = NEVER if overall.p95_ms is None else overall.p95_ms
        seen = "nothing answered" if overall.p95_ms is None else f"{p95:.0f} ms"
        found.append(Check("p95 latency", f"≤ {limit:.0f} ms", seen, p95 <= limit))
    if (limit := limits.get("max_scale_up_s")) is not None:
        ups = [NEVER if one.running_s is None else one.running_s for one in changes if one.up]
        seen = f"{max(ups):.1f} s" if ups else "no replica was added"
        what = "step in load to all new replicas running" if ups else "scale-up"
        found.append(Check(what, f"≤ {limit:g} s", seen, bool(ups) and max(ups) <= limit))
        first, last = (changes[0].replicas_before, changes[-1].replicas) if changes else (0, 0)
        what = "replicas at the end, as at the beginning"
        found.append(Check(what, str(first), str(last), bool(last) and first == last))
    return found
