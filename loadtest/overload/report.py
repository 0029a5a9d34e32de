"""What an overload did, in figures and a plot, and whether it broke a bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from loadtest.client.http_load import BROKEN
from loadtest.client.offer import Floats, Offered, quantiles
from loadtest.report import Panel, Table

REFUSED = 429


@dataclass(frozen=True)
class Sample:
    at: float
    memory_mb: dict[str, float]  # PSS by role
    queued: int | None


@dataclass(frozen=True)
class Loaded:
    """One run: `factor` times the capacity was offered; `modest` is another key's beside it."""

    factor: float
    capacity_rps: float
    offered: Offered
    samples: Sequence[Sample]
    modest: Offered | None = None


@dataclass(frozen=True)
class Bounds:
    p99_ms: float
    memory_mb: float


def comparison(facts: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        [name, *(str(column.get(name, "")) for column in facts.values())]
        for name in facts["overload"]
    ]
    return Table("", ["", *facts], rows)


def figures(run: Loaded) -> dict[str, Any]:
    offered = run.offered
    waits, asked_s = offered.latency_ms, float(offered.due_s.max())
    refused = offered.status == REFUSED
    refusals = (offered.ended_s - offered.sent_s)[refused] * 1e3  # until its sender knew
    found: dict[str, Any] = {
        "capacity_rps": round(run.capacity_rps, 1),
        "offered_rps": round(offered.due_s.size / asked_s, 1),
        "accepted_rps": round(waits.size / asked_s, 1),
        "accepted_of_capacity": round(waits.size / asked_s / run.capacity_rps, 3),
        "accepted_p50_p99_ms": quantiles(waits, 0.5, 0.99),
        "refused_p50_p99_ms": quantiles(refusals, 0.5, 0.99),
        "retry_after_share": round(float(offered.retry_after[refused].mean()), 4)
        if refused.any()
        else None,
        "statuses": {str(status): count for status, count in offered.statuses().items()},
        "client_cores": round(offered.client_cpu_s / offered.seconds, 2),
        "client_sent_late_p99_ms": quantiles((offered.sent_s - offered.due_s) * 1e3, 0.99)[0],
        "queued": [sample.queued for sample in run.samples],
        "memory_mb_start_middle_end": memory(run),
    }
    if run.modest is not None:
        answered = run.modest.status == 200
        found |= {
            "modest_answered_share": round(float(answered.mean()), 4),
            "modest_p50_p99_ms": quantiles(run.modest.latency_ms, 0.5, 0.99),
            "greedy_answered_share": round(float((offered.status == 200).mean()), 4),
        }
    return found


def memory(run: Loaded) -> dict[str, list[int]]:
    """PSS by role in MB at the start, in the middle and at the end."""
    three = [run.samples[0], run.samples[len(run.samples) // 2], run.samples[-1]]
    return {
        role: [round(sample.memory_mb.get(role, 0.0)) for sample in three]
        for role in run.samples[0].memory_mb
    }


def broken(run: Loaded, bounds: Bounds) -> list[str]:
    """Each broken bound in words."""
    offered, found = run.offered, []
    (p99,) = quantiles(offered.latency_ms, 0.99)
    if failed := int((offered.status >= 500).sum()):
        found.append(f"{failed} answers of 5xx; 0 are allowed")
    if lost := int((offered.status == BROKEN).sum()):
        found.append(f"{lost} requests ended without an answer; 0 are allowed")
    if p99 is None or p99 > bounds.p99_ms:
        found.append(f"p99 of the accepted is {p99} ms; at most {bounds.p99_ms:g} are allowed")
    if silent := int(((offered.status == REFUSED) & ~offered.retry_after).sum()):
        found.append(f"{silent} refusals had no Retry-After")
    # The first look is at a service that has not met the load: buffers that it then keeps are no
    # leak, so growth counts from the second.
    for role, first in run.samples[1].memory_mb.items():
        growth = run.samples[-1].memory_mb.get(role, 0.0) - first
        if growth > bounds.memory_mb:
            found.append(f"{role} grew by {growth:.0f} MB; at most {bounds.memory_mb:g} allowed")
    return found


def panels(run: Loaded) -> list[Panel]:
    offered = run.offered
    edges = np.arange(0.0, np.ceil(offered.due_s.max()) + 1)
    at, statuses = edges[:-1].tolist(), {"accepted": 200, "refused": REFUSED}
    rates = {
        name: (at, np.histogram(offered.due_s[offered.status == status], edges)[0].tolist())
        for name, status in statuses.items()
    }
    rates["capacity"] = ([at[0], at[-1]], [run.capacity_rps] * 2)
    waits = {f"{n}, p99": (at, _binned(offered, status, edges)) for n, status in statuses.items()}
    looks = [sample.at for sample in run.samples]
    sizes = {
        role: (looks, [sample.memory_mb.get(role, 0.0) for sample in run.samples])
        for role in run.samples[0].memory_mb
    }
    return [
        Panel("Requests", rates, y="a second"),
        Panel("Latency", waits, y="ms", log="y"),
        Panel("Memory", sizes, y="PSS, MB"),
    ]


def _binned(offered: Offered, status: int, edges: Floats) -> list[float]:
    """The p99 of each second, NaN where nobody had that status."""
    kept = offered.status == status
    waits = (offered.ended_s - offered.due_s)[kept] * 1e3
    places = np.digitize(offered.due_s[kept], edges) - 1
    return [
        float(np.quantile(waits[places == place], 0.99)) if (places == place).any() else np.nan
        for place in range(edges.size - 1)
    ]
