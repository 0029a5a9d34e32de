"""From samples to figures: medians over the rounds, and ratios taken within a round.

A ratio of two servers in the same round cancels what the machine did in those minutes; the median
of such ratios is steadier than the ratio of two medians.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.bench.measure import Case, Sample

Value = Callable[[Sample], float]


def rate(sample: Sample) -> float:
    return sample.load.rate


def p50(sample: Sample) -> float:
    return sample.load.p50_ms


@dataclass(frozen=True)
class Row:
    """One server at one case, in all rounds."""

    server: str
    case: Case
    samples: tuple[Sample, ...]

    def median(self, value: Value) -> float:
        return median(map(value, self.samples))

    @property
    def rates(self) -> list[float]:
        return [sample.load.rate for sample in self.samples]

    def figures(self) -> dict[str, float]:
        """Under the names of the table's columns; what has no other name is a median."""
        return {
            "req_per_s": self.median(rate),
            "lowest": min(self.rates),
            "highest": max(self.rates),
            "p50_ms": self.median(p50),
            "p95_ms": self.median(lambda one: one.load.p95_ms),
            "p99_ms": self.median(lambda one: one.load.p99_ms),
            "errors": sum(self.errors.values()),
            "cpu_ms_per_req": sum(self.cpu_ms.values()),
            "client_cpu_ms_per_req": self.median(lambda one: one.client_cpu_ms),
            "pss_mib": sum(self.memory_mib.values()),
            "elsewhere_cores": self.median(lambda one: one.elsewhere),
        }

    @property
    def errors(self) -> dict[str, int]:
        """Of all rounds together."""
        return dict(sum((Counter(sample.load.errors) for sample in self.samples), Counter[str]()))

    @property
    def cpu_ms(self) -> dict[str, float]:
        """Of one request, by role."""
        return _medians([sample.cpu_ms for sample in self.samples])

    @property
    def memory_mib(self) -> dict[str, float]:
        return _medians([sample.memory_mib for sample in self.samples])


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    roles = dict.fromkeys(role for one in found for role in one)
    return {role: median(one.get(role, 0.0) for one in found) for role in roles}


def by_case(samples: Sequence[Sample]) -> list[Row]:
    """In the order of the first round."""
    groups: dict[tuple[str, Case], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.server, sample.case), []).append(sample)
    return [Row(*key, tuple(group)) for key, group in groups.items()]


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
