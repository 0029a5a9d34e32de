"""What the users got and what the replicas did, on one clock: a row a second."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.scaling.lag import LEAVING, running, wanted
from loadtest.scaling.record import Record, Second, summarise
from loadtest.scaling.sampler import ReplicaSeen, Sample

FRESH_S = 3.0  # an older sample says nothing about now
SPAN_S = 2.0  # over which CPU and batch size are taken: the replicas report once a second


@dataclass(frozen=True)
class Row:
    """One second, `t_s` after the first; None where not measured. `cores`: CPU by process."""

    t_s: float
    users: int
    req_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    failed: int
    refused: int
    running: int | None
    starting: int | None
    stopping: int | None
    queued: int | None
    batch_size: float | None
    versions: str
    cores: dict[str, float]


def per_second(record: Record, samples: Sequence[Sample]) -> list[Row]:
    first = record.seconds[0].at if record.seconds else 0.0
    return [_row(second, first, samples) for second in record.seconds]


def _row(second: Second, first: float, samples: Sequence[Sample]) -> Row:
    found = summarise([second])
    now = _latest(samples, second.at + second.lasted_s)
    past = _latest(samples, now.at - SPAN_S) if now else None
    states = now.states if now else {}
    replicas = now.replicas if now else ()
    queued = [replica.queued for replica in replicas if replica.queued is not None]
    return Row(
        t_s=round(second.at - first, 1),
        users=second.users,
        req_s=round(found.req_s, 1),
        p50_ms=found.p50_ms,
        p95_ms=found.p95_ms,
        p99_ms=found.p99_ms,
        failed=found.failed,
        refused=found.refused,
        running=running(now) if now and states else None,
        starting=wanted(now) - running(now) if now and states else None,
        stopping=states.get(LEAVING, 0) if states else None,
        queued=sum(queued) if queued else None,
        batch_size=_batch_size(past.replicas, replicas) if past else None,
        versions=" ".join(sorted({r.version for r in replicas if r.version})),
        cores=cores(past, now) if past and now else {},
    )


def _latest(samples: Sequence[Sample], at: float) -> Sample | None:
    place = bisect_right([sample.at for sample in samples], at)
    found = samples[place - 1] if place else None
    return found if found and at - found.at < FRESH_S else None


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


def cores(past: Sample, now: Sample) -> dict[str, float]:
    """Group -> cores in use between two samples; what has ended in between counts as nothing."""
    span_s = now.at - past.at
    return {
        group: round(max(0.0, spent - past.cpu_s.get(group, 0.0)) / span_s, 3)
        for group, spent in now.cpu_s.items()
        if span_s > 0
    }
