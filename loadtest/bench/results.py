"""From samples to figures: medians over the rounds, and ratios taken within a round.

A ratio of two servers in the same round cancels what the machine did in those minutes; the median
of such ratios is steadier than the ratio of two medians.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from loadtest.bench.measure import Case, Sample

Value = Callable[[Sample], float]


@dataclass(frozen=True)
class Row:
    """One server at one case; medians over the rounds, errors summed."""

    server: str
    case: Case
    rounds: int
    rate: float
    lowest: float
    highest: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: dict[str, int]
    cpu_ms: dict[str, float]  # of one request, by role
    client_cpu_ms: float
    memory_mib: dict[str, float]
    elsewhere: float
    replaced: int


def rate(sample: Sample) -> float:
    return sample.load.rate


def p50(sample: Sample) -> float:
    return sample.load.p50_ms


def by_case(samples: Sequence[Sample]) -> list[Row]:
    """In the order of the first round."""
    groups: dict[tuple[str, Case], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.server, sample.case), []).append(sample)
    return [_row(*key, group) for key, group in groups.items()]


def _row(server: str, case: Case, group: list[Sample]) -> Row:
    rates = [sample.load.rate for sample in group]
    return Row(
        server,
        case,
        rounds=len(group),
        rate=median(rates),
        lowest=min(rates),
        highest=max(rates),
        p50_ms=median(sample.load.p50_ms for sample in group),
        p95_ms=median(sample.load.p95_ms for sample in group),
        p99_ms=median(sample.load.p99_ms for sample in group),
        errors=_merged(group, lambda sample: sample.load.errors, sum),
        cpu_ms=_merged(group, lambda sample: sample.cpu_ms, median),
        client_cpu_ms=median(sample.client_cpu_ms for sample in group),
        memory_mib=_merged(group, lambda sample: sample.memory_mib, median),
        elsewhere=median(sample.elsewhere for sample in group),
        replaced=sum(sample.replaced for sample in group),
    )


def _merged(
    group: list[Sample],
    value: Callable[[Sample], Mapping[str, Any]],
    merge: Callable[[list[Any]], Any],
) -> dict[str, Any]:
    """By key; where a sample has none, 0."""
    found = [value(sample) for sample in group]
    names = dict.fromkeys(name for one in found for name in one)
    return {name: merge([one.get(name, 0) for one in found]) for name in names}


def ratio(
    samples: Sequence[Sample], server: str, to: str, case: Case, value: Value = rate
) -> float | None:
    """The median over the rounds of server / to; None where one of them was not measured."""
    found = {(one.server, one.round): value(one) for one in samples if one.case == case}
    ratios = [
        mine / theirs
        for (name, round_), mine in found.items()
        if name == server and (theirs := found.get((to, round_)))
    ]
    return median(ratios) if ratios else None
