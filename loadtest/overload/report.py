"""What an overload did, in words, figures and a plot, and whether it broke a bound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.client.http_load import BROKEN
from loadtest.client.offer import Floats, Offered, quantiles
from loadtest.tables import write_json

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
    samples: tuple[Sample, ...]
    modest: Offered | None = None


@dataclass(frozen=True)
class Bounds:
    p99_ms: float
    memory_mb: float


def publish(out: Path, runs: list[Loaded], bounds: Bounds) -> int:
    """overload.json and overload.png in `out`; 1 where a bound is broken."""
    reference, overload = runs
    facts = {"reference": figures(reference), "overload": figures(overload)}
    wrong = broken(overload, bounds)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "overload.json", {**facts, "broken": wrong})
    _plot(out / "overload.png", overload)
    for name, rows in facts.items():
        print(f"\n{name}")
        print("\n".join(f"  {key:28} {value}" for key, value in rows.items()))
    print("\n" + ("\n".join(f"BROKEN: {one}" for one in wrong) or "every bound was kept"))
    print(f"written to {out}/overload.json and overload.png")
    return 1 if wrong else 0


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


def _plot(path: Path, run: Loaded) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 8), layout="constrained")
    rates, waits, sizes = figure.subplots(3, 1, sharex=True)
    offered = run.offered
    edges = np.arange(0.0, np.ceil(offered.due_s.max()) + 1)
    for status, label, colour in ((200, "accepted", "#2a78b5"), (REFUSED, "refused", "#c8553d")):
        counts, _ = np.histogram(offered.due_s[offered.status == status], edges)
        rates.plot(edges[:-1], counts, label=label, color=colour)
    rates.axhline(run.capacity_rps, color="#777777", linestyle="--", label="capacity")
    rates.set(
        ylabel="requests a second", title=f"{run.factor:g} times the capacity", ylim=(0, None)
    )
    waits.plot(edges[:-1], _binned(offered, 200, edges), label="accepted, p99", color="#2a78b5")
    waits.plot(edges[:-1], _binned(offered, REFUSED, edges), label="refused, p99", color="#c8553d")
    waits.set(ylabel="ms", yscale="log")
    waits.yaxis.set_major_formatter("{x:g}")
    for role in run.samples[0].memory_mb:
        levels = [sample.memory_mb.get(role, 0.0) for sample in run.samples]
        sizes.plot([sample.at for sample in run.samples], levels, marker=".", label=role)
    sizes.set(ylabel="PSS, MB", xlabel="seconds")
    for axes in (rates, waits, sizes):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def _binned(offered: Offered, status: int, edges: Floats) -> list[float]:
    """The p99 of each second, NaN where nobody had that status."""
    kept = offered.status == status
    waits = (offered.ended_s - offered.due_s)[kept] * 1e3
    places = np.digitize(offered.due_s[kept], edges) - 1
    return [
        float(np.quantile(waits[places == place], 0.99)) if (places == place).any() else np.nan
        for place in range(edges.size - 1)
    ]
