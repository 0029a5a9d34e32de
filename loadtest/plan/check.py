"""The plan's predictions beside what this machine does: one and two replicas, at several loads.

The times come from one replica; what two do, and what anybody waits at any load, is predicted. Each
point offers Poisson arrivals, and the simulation is given the very same arrivals. The client is one
of the busy threads on the same cores, and is simulated too. A point during which strangers used the
machine is measured once more.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.machine import quiet, usage
from loadtest.open_loop.offer import Floats, offer, poisson
from loadtest.own_service import own_service
from loadtest.plan.queueing import saturate, simulate
from loadtest.plan.service_times import CLIENTS, measure
from loadtest.plan.timesheet import Times, in_words

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

    @property
    def error(self) -> float:
        return self.predicted_rps / self.measured_rps - 1


def check(clip: Path, out: Path, port: int, seconds: float, anyway: bool) -> int:
    disturbed = quiet.disturbance()
    if disturbed and not anyway:
        raise ValueError(f"{disturbed}, or say --anyway and do not trust the result")
    points: list[Point] = []
    capacities: list[Capacity] = []
    times: Times | None = None
    for replicas in REPLICAS:
        with own_service(replicas, port) as service:
            if times is None:
                times = measure(service.url, clip, seconds)
                print(in_words(times), flush=True)
            capacities.append(_capacity(service.url, clip, seconds, replicas, times))
            root = service.pid
            for share in SHARES:
                rate = share * capacities[-1].measured_rps
                points.append(
                    _point(service.url, clip, seconds, replicas, share, rate, times, root)
                )
                print(_row(points[-1]), flush=True)
    assert times is not None
    publish(out, times, capacities, points, disturbed)
    return 0


def _capacity(url: str, clip: Path, seconds: float, replicas: int, times: Times) -> Capacity:
    clients = CLIENTS * replicas
    offer(url, clip, 2.0, clients=clients)
    found = offer(url, clip, seconds, clients=clients)
    predicted = saturate(times.node(replicas), times.costs, clients).answered_per_s
    return Capacity(replicas, found.latency_ms.size / found.seconds, predicted)


def _point(
    url: str,
    clip: Path,
    seconds: float,
    replicas: int,
    share: float,
    rate: float,
    times: Times,
    root: int,
) -> Point:
    """The quietest of a few tries."""
    tries: list[Point] = []
    while len(tries) < TRIES and all(found.strangers > STRANGERS for found in tries):
        before = usage.use(root)
        lasting, seed = CONNECTING_S + seconds, round(1000 * share) + len(tries)
        offered = offer(url, clip, lasting, rate=rate, seed=seed)
        strangers = usage.strangers(before, usage.use(root))
        settled = offered.due_s >= CONNECTING_S
        waits = (offered.ended_s - offered.due_s)[settled & (offered.status == 200)] * 1e3
        predicted = simulate(
            offered.due_s, times.node(replicas), times.costs, since_s=CONNECTING_S
        ).latency_ms
        tries.append(
            Point(
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
        )
    return min(tries, key=lambda found: found.strangers)


def _quantiles(waits_ms: Floats) -> dict[str, float]:
    return {name: round(float(np.quantile(waits_ms, q)), 2) for name, q in QUANTILES.items()}


def publish(
    out: Path, times: Times, capacities: list[Capacity], points: list[Point], disturbed: str
) -> None:
    """check.json, check.md and check.png in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {
        "disturbed": disturbed,
        "times": asdict(times),
        "capacities": [asdict(one) for one in capacities],
        "points": [asdict(one) for one in points],
    }
    (out / "check.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = markdown(times, capacities, points, disturbed)
    (out / "check.md").write_text(text, encoding="utf-8")
    _plot(out / "check.png", times, capacities, points)
    print(f"\n{text}\nwritten to {out}/check.json, check.md, check.png", file=sys.stdout)


def markdown(times: Times, capacities: list[Capacity], points: list[Point], disturbed: str) -> str:
    warning = f"**Disturbed before the start: {disturbed}.**\n\n" if disturbed else ""
    lines = [
        f"{warning}Times measured on one replica, {times.cores} cores:\n",
        "```",
        in_words(times),
        "```\n",
        "| replicas | capacity measured, req/s | predicted | error |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {one.replicas} | {one.measured_rps:.0f} | {one.predicted_rps:.0f} | {one.error:+.0%} |"
        for one in capacities
    ]
    lines += [
        "\n| replicas | load | req/s | p50 measured / predicted, ms | error "
        "| p95 measured / predicted, ms | error | client, cores | strangers, cores | failed |",
        "|---" * 10 + "|",
    ]
    lines += [_markdown_row(one) for one in points]
    worst = {name: max(abs(one.error(name)) for one in points) for name in ("p50", "p95")}
    middle = {
        name: float(np.median([abs(one.error(name)) for one in points])) for name in ("p50", "p95")
    }
    lines.append(
        f"\nError of p50: {middle['p50']:.0%} in the middle, {worst['p50']:.0%} at worst; "
        f"of p95: {middle['p95']:.0%} and {worst['p95']:.0%}."
    )
    return "\n".join(lines) + "\n"


def _markdown_row(one: Point) -> str:
    both = [
        f"{one.measured_ms[name]:.1f} / {one.predicted_ms[name]:.1f} | {one.error(name):+.0%}"
        for name in ("p50", "p95")
    ]
    return (
        f"| {one.replicas} | {one.share:.0%} | {one.rps:.0f} | {' | '.join(both)} "
        f"| {one.client_cores:.2f} | {one.strangers:.2f} | {one.failed} |"
    )


def _row(one: Point) -> str:
    return (
        f"{one.replicas} replicas at {one.share:.0%}, {one.rps:.0f} req/s: measured "
        f"{one.measured_ms}, predicted {one.predicted_ms}, strangers {one.strangers:.2f} cores, "
        f"sent late p99 {one.late_p99_ms:.2f} ms, failed {one.failed}"
    )


def _plot(path: Path, times: Times, capacities: list[Capacity], points: list[Point]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    panels = figure.subplots(1, len(capacities), squeeze=False)
    for axes, capacity in zip(panels[0], capacities, strict=True):
        _draw(axes, times, capacity, [one for one in points if one.replicas == capacity.replicas])
    figure.savefig(path, dpi=110)


def _draw(axes: Any, times: Times, capacity: Capacity, points: list[Point]) -> None:
    rates = np.linspace(0.1, 0.95, 14) * capacity.predicted_rps
    node = times.node(capacity.replicas)
    curves = [
        _quantiles(simulate(poisson(rate, 20.0, seed=5), node, times.costs).latency_ms)
        for rate in rates.tolist()
    ]
    for name, colour in (("p50", "#2a78b5"), ("p95", "#c8553d")):
        axes.plot(rates, [one[name] for one in curves], color=colour, label=f"{name} predicted")
        axes.scatter(
            [one.rps for one in points],
            [one.measured_ms[name] for one in points],
            color=colour,
            label=f"{name} measured",
        )
    axes.axvline(capacity.measured_rps, color="#777777", linestyle="--", label="capacity measured")
    axes.set_title(f"{capacity.replicas} replica{'s' * (capacity.replicas > 1)}")
    axes.set(xlabel="requests a second, Poisson", ylabel="latency, ms", yscale="log")
    for write in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        write("{x:.0f}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
