"""How replicas followed the load: how long after a step others were wanted, ran, answered.

Times are as exact as the sampling is frequent. Where a replica reports its own start, its cold
start is its own figure, from process to ready; else it is what was seen from outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.scaling.record import Begun
from loadtest.scaling.sampler import ReplicaSeen, Sample

RUNNING = ("RUNNING", "UPDATING")
LEAVING = "STOPPING"


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


def running(sample: Sample) -> int:
    return sum(sample.states.get(state, 0) for state in RUNNING)


def wanted(sample: Sample) -> int:
    return sum(number for state, number in sample.states.items() if state != LEAVING)


def changes(steps: Sequence[Begun], samples: Sequence[Sample]) -> list[Change]:
    """One for each step after which another number of replicas ran."""
    known = [sample for sample in samples if sample.states]
    ends = [step.at for step in steps[1:]] + [float("inf")]
    found = []
    for before, step, end in zip([None, *steps], steps, ends, strict=False):
        earlier = [sample for sample in known if sample.at <= step.at]
        during = [sample for sample in known if step.at < sample.at <= end]
        if earlier and during:
            change = _change(before, step, running(earlier[-1]), during)
            if change.replicas != change.replicas_before:
                found.append(change)
    return found


def _change(
    before: Begun | None, step: Begun, replicas_before: int, during: Sequence[Sample]
) -> Change:
    users_before = before.users if before else 0
    growing = step.users > users_before
    numbers = [running(sample) for sample in during]
    reached = max(numbers) if growing else min(numbers)

    def first(when: "list[bool]") -> float | None:
        return next((s.at - step.at for s, yes in zip(during, when, strict=True) if yes), None)

    moved = [
        wanted(s) > replicas_before if growing else wanted(s) < replicas_before for s in during
    ]
    there = [number == reached for number in numbers]
    answering = [growing and _answering(sample) >= reached for sample in during]
    return Change(
        users_before=users_before,
        users=step.users,
        replicas_before=replicas_before,
        replicas=reached,
        wanted_s=first(moved),
        running_s=first(there),
        answering_s=first(answering),
    )


def _answering(sample: Sample) -> int:
    return sum(bool(replica.answered) for replica in sample.replicas)


def starts(samples: Sequence[Sample], begun: float) -> list[Start]:
    """Replicas that were not there at the first sample, in the order of their coming."""
    known = [sample for sample in samples if sample.states]
    names: dict[str, None] = {}
    for sample in known:
        names.update(dict.fromkeys(replica.name for replica in sample.replicas))
    there = {replica.name for replica in known[0].replicas} if known else set()
    return [_start(name, known, begun) for name in names if name not in there]


def _start(name: str, samples: Sequence[Sample], begun: float) -> Start:
    seen: list[tuple[float, ReplicaSeen]] = [
        (sample.at, replica)
        for sample in samples
        for replica in sample.replicas
        if replica.name == name
    ]
    came = next((r.started_at for _, r in seen if r.started_at is not None), seen[0][0])
    ran = next((at for at, r in seen if r.state in RUNNING), None)
    own = next((r.ready_in_s for _, r in seen if r.ready_in_s is not None), None)
    return Start(name, came - begun, None if ran is None else ran - came, own)
