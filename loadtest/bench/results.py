"""From samples to figures: medians over the rounds, and ratios taken within a round.

A ratio of two servers in the same round cancels what the machine did in those minutes; the median
of such ratios is steadier than the ratio of two medians.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


def rows(samples: Sequence[Sample]) -> list[Row]:
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
        len(group),
        statistics.median(rates),
        min(rates),
        max(rates),
        statistics.median(sample.load.p50_ms for sample in group),
        statistics.median(sample.load.p95_ms for sample in group),
        statistics.median(sample.load.p99_ms for sample in group),
        _summed([sample.load.errors for sample in group]),
        _medians([sample.cpu_ms for sample in group]),
        statistics.median(sample.client_cpu_ms for sample in group),
        _medians([sample.memory_mib for sample in group]),
        statistics.median(sample.elsewhere for sample in group),
        sum(sample.replaced for sample in group),
    )


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for one in found for name in one)
    return {name: statistics.median(one.get(name, 0.0) for one in found) for name in names}


def _summed(found: list[dict[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for one in found for name in one)
    return {name: sum(one.get(name, 0) for one in found) for name in names}


def ratio(
    samples: Sequence[Sample], server: str, to: str, case: Case, value: Value = rate
) -> float | None:
    """The median over the rounds of server / to; None where one of them was not measured."""
    found = {
        (sample.server, sample.round): value(sample) for sample in samples if sample.case == case
    }
    pairs = [
        (mine, found[to, round_])
        for (name, round_), mine in found.items()
        if name == server and found.get((to, round_))
    ]
    return statistics.median(mine / theirs for mine, theirs in pairs) if pairs else None
