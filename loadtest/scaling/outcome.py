"""All that a run found, as one value: the terminal, the page and the table are made from it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.scaling.checks import Check, checks
from loadtest.scaling.lag import Change, Start, changes, starts
from loadtest.scaling.record import Summary, summarise
from loadtest.scaling.runs import Run
from loadtest.scaling.series import Row, cores, per_second


@dataclass(frozen=True)
class Stage:
    """One step in the load, and what its users got."""

    at_s: float
    users: int
    summary: Summary


@dataclass(frozen=True)
class Fixed:
    """What a fixed number of replicas answered to so many users; `cores` as in Row."""

    replicas: int
    users: int
    summary: Summary
    cores: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    overall: Summary
    rows: tuple[Row, ...]
    stages: tuple[Stage, ...]
    changes: tuple[Change, ...]
    starts: tuple[Start, ...]
    causes: dict[str, int]
    checks: tuple[Check, ...]
    fixed: tuple[Fixed, ...] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def outcome_of(run: Run, limits: Mapping[str, float], refused_fail: bool = False) -> Outcome:
    """`limits` and `refused_fail` as in `checks`."""
    record, samples = run.record, run.samples
    overall = summarise(record.seconds)
    followed = changes(record.steps, samples)
    causes = sum((Counter(second.causes) for second in record.seconds), Counter[str]())
    return Outcome(
        overall=overall,
        rows=tuple(per_second(record, samples)),
        stages=_stages(run),
        changes=tuple(followed),
        starts=tuple(starts(samples, record.steps[0].at)),
        causes=dict(causes.most_common()),
        checks=tuple(checks(limits, overall, followed, refused_fail)),
    )


def fixed_of(run: Run, replicas: int) -> Fixed:
    first, last = run.samples[0], run.samples[-1]
    users = max(step.users for step in run.record.steps)
    return Fixed(replicas, users, summarise(run.record.seconds), cores(first, last))


def _stages(run: Run) -> tuple[Stage, ...]:
    seconds, steps = run.record.seconds, run.record.steps
    ends = [step.at for step in steps[1:]] + [float("inf")]
    return tuple(
        Stage(
            at_s=step.at - seconds[0].at,
            users=step.users,
            summary=summarise(s for s in seconds if step.at <= s.at + s.lasted_s / 2 < end),
        )
        for step, end in zip(steps, ends, strict=True)
    )
