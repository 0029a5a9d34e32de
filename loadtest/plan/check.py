"""The plan's predictions beside what this machine does: one and two replicas, at several loads.

The times come from one replica; what two do, and what anybody waits at any load, is predicted. Each
point offers Poisson arrivals, and the simulation is given the very same arrivals. The client is one
of the busy threads on the same cores, and is simulated too. A point during which strangers used the
machine is measured once more.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.client.offer import Floats, offer, poisson
from loadtest.machine import quiet, usage
from loadtest.own_service import fixed_replicas, own_service
from loadtest.plan.queueing import saturate, simulate
from loadtest.plan.service_times import CLIENTS, measure
from loadtest.plan.times import Times, in_words
from loadtest.tables import Table, write_json

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
        with own_service(port, fixed_replicas(replicas)) as service:
            if times is None:
                times = measure(service.url, clip, seconds)
                print(in_words(times), flush=True)
            capacities.append(_capacity(service.url, clip, seconds, replicas, times))
            for share in SHARES:
                rate, pid = share * capacities[-1].measured_rps, service.process.pid
                point = _point(service.url, clip, seconds, replicas, share, rate, times, pid)
                print(point, flush=True)
                points.append(point)
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
        node = times.node(replicas)
        predicted = simulate(offered.due_s, node, times.costs, since_s=CONNECTING_S).latency_ms
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
    return dict(zip(QUANTILES, np.quantile(waits_ms, [*QUANTILES.values()]).round(2), strict=True))


def publish(
    out: Path, times: Times, capacities: list[Capacity], points: list[Point], disturbed: str
) -> None:
    """check.json, check.md and check.png in `out`."""
    out.mkdir(parents=True, exist_ok=True)
    facts = {
        "disturbed": disturbed,
        "times": asdict(times),
        "capacities": [asdict(one) for one in capacities],
        "points": [asdict(one) for one in points],
    }
    write_json(out / "check.json", facts)
    text = markdown(times, capacities, points, disturbed)
    (out / "check.md").write_text(text, encoding="utf-8")
    _plot(out / "check.png", times, capacities, points)
    print(f"\n{text}\nwritten to {out}/check.json, check.md, check.png")


def markdown(times: Times, capacities: list[Capacity], points: list[Point], disturbed: str) -> str:
    rates = [
        [f"{one.replicas}", f"{one.measured_rps:.0f}", f"{one.predicted_rps:.0f}"]
        + [f"{one.error:+.0%}"]
        for one in capacities
    ]
    latency = [f"{name} measured / predicted, ms" for name in ("p50", "p95")]
    head = ["replicas", "load", "req/s", latency[0], "error", latency[1], "error"]
    head += ["client, cores", "strangers, cores", "failed"]
    worst, middle = (
        {name: fold([abs(one.error(name)) for one in points]) for name in ("p50", "p95")}
        for fold in (np.max, np.median)
    )
    parts = [
        *([f"**Disturbed before the start: {disturbed}.**"] if disturbed else []),
        f"Times measured on one replica, {times.cores} cores:",
        f"```\n{in_words(times)}\n```",
        Table(
            "", ["replicas", "capacity measured, req/s", "predicted", "error"], rates
        ).as_markdown(),
        Table("", head, [_cells(one) for one in points]).as_markdown(),
        f"Error of p50: {middle['p50']:.0%} in the middle, {worst['p50']:.0%} at worst; "
        f"of p95: {middle['p95']:.0%} and {worst['p95']:.0%}.",
    ]
    return "\n\n".join(parts) + "\n"


def _cells(one: Point) -> list[str]:
    cells = [f"{one.replicas}", f"{one.share:.0%}", f"{one.rps:.0f}"]
    for name in ("p50", "p95"):
        cells += [f"{one.measured_ms[name]:.1f} / {one.predicted_ms[name]:.1f}"]
        cells += [f"{one.error(name):+.0%}"]
    return [*cells, f"{one.client_cores:.2f}", f"{one.strangers:.2f}", f"{one.failed}"]


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
        at, measured = [one.rps for one in points], [one.measured_ms[name] for one in points]
        axes.scatter(at, measured, color=colour, label=f"{name} measured")
    axes.axvline(capacity.measured_rps, color="#777777", linestyle="--", label="capacity measured")
    axes.set_title(f"{capacity.replicas} replica{'s' * (capacity.replicas > 1)}")
    axes.set(xlabel="requests a second, Poisson", ylabel="latency, ms", yscale="log")
    for write in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        write("{x:.0f}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
