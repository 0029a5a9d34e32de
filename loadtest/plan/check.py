"""The plan's predictions beside what this machine does: one and two replicas, at several loads.

The times come from one replica; what two do, and what anybody waits at any load, is predicted. Each
point offers Poisson arrivals, and the simulation is given the very same arrivals. The client is one
of the busy threads on the same cores, and is simulated too. A point during which strangers used the
machine is measured once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from loadtest.client.offer import Floats, Offered, Plan, offer, poisson
from loadtest.machine import usage
from loadtest.own_service import fixed_replicas, own_service
from loadtest.plan.queueing import saturate, simulate
from loadtest.plan.service_times import CLIENTS, measure
from loadtest.plan.times import Times, in_words
from loadtest.report import Panel, Table, figure, page, publish

SHARES = (0.3, 0.5, 0.7, 0.85)
REPLICAS = (1, 2)
STRANGERS = 0.1  # cores, during a point; more, and it is measured again
TRIES = 2
CONNECTING_S = 1.0  # a client's first second opens its connections, and is left out on both sides
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Point:
    replicas: int
    share: float  # of the measured capacity
    rps: float
    measured_ms: dict[str, float]
    predicted_ms: dict[str, float]
    strangers: float
    late_p99_ms: float  # how late the client sent
    client_cores: float
    failed: int

    def error(self, name: str) -> float:
        return self.predicted_ms[name] / self.measured_ms[name] - 1


@dataclass(frozen=True)
class Capacity:
    replicas: int
    measured_rps: float
    predicted_rps: float


def check(clip: Path, out: Path, port: int, seconds: float, anyway: bool) -> int:
    disturbed = usage.disturbance()
    if disturbed and not anyway:
        raise ValueError(f"{disturbed}, or say --anyway and do not trust the result")
    points: list[Point] = []
    capacities: list[Capacity] = []
    times: Times | None = None
    for replicas in REPLICAS:
        with own_service(port, fixed_replicas(replicas)) as service:
            times = times or measure(service.url, clip, seconds)
            full = Plan(service.url, clip, seconds, clients=CLIENTS * replicas)
            offer(replace(full, seconds=2.0))
            measured = offer(full).answered_per_s
            predicted = saturate(times.node(replicas), times.costs, full.clients).answered_per_s
            capacities.append(Capacity(replicas, measured, predicted))
            for share in SHARES:
                at = replace(full, seconds=CONNECTING_S + seconds, rate=share * measured)
                points.append(_quietest(at, share, replicas, times, service.process.pid))
                print(points[-1], flush=True)
    assert times is not None
    publish(
        out,
        "check",
        markdown(times, capacities, points, disturbed),
        {"disturbed": disturbed, "times": times, "capacities": capacities, "points": points},
        figure([_panel(times, one, points) for one in capacities], columns=2),
    )
    return 0


def _quietest(plan: Plan, share: float, replicas: int, times: Times, root: int) -> Point:
    """Of a few tries."""
    tries: list[Point] = []
    while len(tries) < TRIES and all(one.strangers > STRANGERS for one in tries):
        before = usage.use(usage.members(root))
        found = offer(replace(plan, seed=round(1000 * share) + len(tries)))
        strangers = usage.strangers(before, usage.use(usage.members(root)))
        tries.append(point(found, replicas, share, plan.seconds - CONNECTING_S, times, strangers))
    return min(tries, key=lambda one: one.strangers)


def point(
    offered: Offered, replicas: int, share: float, seconds: float, times: Times, strangers: float
) -> Point:
    settled = offered.due_s >= CONNECTING_S
    waits = (offered.ended_s - offered.due_s)[settled & (offered.status == 200)] * 1e3
    node = times.node(replicas)
    predicted = simulate(offered.due_s, node, times.costs, since_s=CONNECTING_S).latency_ms
    return Point(
        replicas=replicas,
        share=share,
        rps=int(settled.sum()) / seconds,
        measured_ms=_quantiles(waits),
        predicted_ms=_quantiles(predicted),
        strangers=strangers,
        late_p99_ms=float(np.quantile(offered.sent_s - offered.due_s, 0.99) * 1e3),
        client_cores=offered.client_cpu_s / offered.seconds,
        failed=int((offered.status != 200).sum()),
    )


def _quantiles(waits_ms: Floats) -> dict[str, float]:
    return dict(zip(QUANTILES, np.quantile(waits_ms, [*QUANTILES.values()]).round(2), strict=True))


def markdown(
    times: Times, capacities: Sequence[Capacity], points: Sequence[Point], disturbed: str
) -> str:
    rates = [
        [f"{one.replicas}", f"{one.measured_rps:.0f}", f"{one.predicted_rps:.0f}"]
        + [f"{one.predicted_rps / one.measured_rps - 1:+.0%}"]
        for one in capacities
    ]
    latency = [f"{name} measured / predicted, ms" for name in ("p50", "p95")]
    head = ["replicas", "load", "req/s", latency[0], "error", latency[1], "error"]
    head += ["client, cores", "strangers, cores", "failed"]
    errors = {name: [abs(one.error(name)) for one in points] for name in ("p50", "p95")}
    return page(
        "Predicted and measured",
        f"**Disturbed before the start: {disturbed}.**" if disturbed else "",
        f"Times measured on one replica, {times.cores} cores:",
        f"```\n{in_words(times)}\n```",
        Table("", ["replicas", "capacity measured, req/s", "predicted", "error"], rates),
        Table("", head, [_cells(one) for one in points]),
        "; ".join(
            f"error of {name}: {np.median(found):.0%} in the middle, {max(found):.0%} at worst"
            for name, found in errors.items()
        ),
    )


def _cells(one: Point) -> list[str]:
    cells = [f"{one.replicas}", f"{one.share:.0%}", f"{one.rps:.0f}"]
    for name in ("p50", "p95"):
        cells += [f"{one.measured_ms[name]:.1f} / {one.predicted_ms[name]:.1f}"]
        cells += [f"{one.error(name):+.0%}"]
    return [*cells, f"{one.client_cores:.2f}", f"{one.strangers:.2f}", f"{one.failed}"]


def _panel(times: Times, capacity: Capacity, points: Sequence[Point]) -> Panel:
    rates = (np.linspace(0.1, 0.95, 14) * capacity.predicted_rps).tolist()
    node = times.node(capacity.replicas)
    curves = [
        _quantiles(simulate(poisson(rate, 20.0, seed=5), node, times.costs).latency_ms)
        for rate in rates
    ]
    mine = [one for one in points if one.replicas == capacity.replicas]
    lines = {}
    for name in ("p50", "p95"):
        lines[f"{name} predicted"] = (rates, [one[name] for one in curves])
        lines[f"{name} measured"] = ([p.rps for p in mine], [p.measured_ms[name] for p in mine])
    return Panel(
        f"{capacity.replicas} replica{'s' * (capacity.replicas > 1)}",
        lines,
        x="requests a second, Poisson",
        y="latency, ms",
        log="y",
        marks=[(capacity.measured_rps, "capacity measured")],
    )
