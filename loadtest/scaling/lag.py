"""How replicas followed the load: how long after a step others were wanted, ran, answered.

Times are as exact as the sampling is frequent. Where a replica reports its own start, its cold
start is its own figure, from process to ready; else it is what was seen from outside.
"""

from collections.abc import Callable, Sequence
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
    reached = (max if growing else min)(running(sample) for sample in during)

    def first(when: Callable[[Sample], bool]) -> float | None:
        return next((sample.at - step.at for sample in during if when(sample)), None)

    def moved(sample: Sample) -> bool:
        more = wanted(sample) - replicas_before
        return more > 0 if growing else more < 0

    return Change(
        users_before=users_before,
        users=step.users,
        replicas_before=replicas_before,
        replicas=reached,
        wanted_s=first(moved),
        running_s=first(lambda sample: running(sample) == reached),
        answering_s=first(lambda sample: growing and _answering(sample) >= reached),
    )


def _answering(sample: Sample) -> int:
    return sum(bool(replica.answered) for replica in sample.replicas)


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
    ran = next((at for at, r in looks if r.state in RUNNING), None)
    own = next((r.ready_in_s for _, r in looks if r.ready_in_s is not None), None)
    return Start(name, came - begun, None if ran is None else ran - came, own)
