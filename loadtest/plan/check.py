"""The plan's predictions beside what this machine does: one and two replicas, at several loads.

The times come from one replica; what two do, and what anybody waits at any load, is predicted. Each
point offers Poisson arrivals, and the simulation is given the very same arrivals. The client is one
of the busy threads on the same cores, and is simulated too. A point during which strangers used the
machine is measured once more.
"""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from loadtest import machine
from loadtest.machine import tree, use
from loadtest.open_loop import Offered, Plan, offer, poisson
from loadtest.own_service import bound, own_service, shipped
from loadtest.plan.queueing import saturate, simulate
from loadtest.plan.service_times import CLIENTS, Times, in_words, measure
from loadtest.report import Panel, Row, Rows, figure, percentiles, publish

SHARES = (0.3, 0.5, 0.7, 0.85)
REPLICAS = (1, 2)
STRANGERS = 0.1  # cores, during a point; more, and it is measured again
TRIES = 2
CONNECTING_S = 1.0  # a client's first second opens its connections, and is left out on both sides
SHOWN = ("p50_ms", "p95_ms")  # in the plot


def check(arguments: argparse.Namespace) -> int:
    disturbed, seconds = machine.disturbance(), arguments.seconds
    if disturbed and not arguments.anyway:
        raise ValueError(f"{disturbed}, or say --anyway and do not trust the result")
    points, capacities = list[Row](), list[Row]()
    times: Times | None = None
    for replicas in REPLICAS:
        with own_service(arguments.port, bound(shipped(), replicas, replicas)) as service:
            times = times or measure(service, arguments.clip, seconds)
            full = Plan(service.url, arguments.clip, seconds, clients=CLIENTS * replicas)
            offer(replace(full, seconds=2.0))
            measured = offer(full).answered_per_s
            predicted = saturate(times.node(replicas), times.costs, full.clients).answered_per_s
            row = {"replicas": replicas, "measured req/s": measured, "predicted req/s": predicted}
            capacities.append(row | {"error": predicted / measured - 1})
            for share in SHARES:
                at = replace(full, seconds=CONNECTING_S + seconds, rate=share * measured)
                points.append(_quietest(at, share, replicas, times, service.process.pid))
                print(points[-1], flush=True)
    assert times is not None
    plot = figure([panel(times, one, points) for one in capacities], columns=2)
    facts = found(times, capacities, points, disturbed)
    publish(arguments.out, "check", "Predicted and measured", facts, plot, times=times)
    return 0


def _quietest(plan: Plan, share: float, replicas: int, times: Times, root: int) -> Row:
    tries: list[Row] = []
    while len(tries) < TRIES and all(one["strangers, cores"] > STRANGERS for one in tries):
        before = use(tree([root]))
        found = offer(replace(plan, seed=round(1000 * share) + len(tries)))
        strangers = machine.strangers(before, use(tree([root])))
        tries.append(point(found, replicas, share, plan.seconds - CONNECTING_S, times, strangers))
    return min(tries, key=lambda one: one["strangers, cores"])


def point(
    offered: Offered, replicas: int, share: float, seconds: float, times: Times, strangers: float
) -> Row:
    settled = offered.due_s >= CONNECTING_S
    waits_ms = (offered.ended_s - offered.due_s)[settled & (offered.status == 200)] * 1e3
    predicted = simulate(offered.due_s, times.node(replicas), times.costs, since_s=CONNECTING_S)
    figures = offered.figures()
    row = {"replicas": replicas, "load": share, "req/s": int(settled.sum()) / seconds}
    expected = percentiles(predicted.latency_ms)
    for name, measured in percentiles(waits_ms).items():
        row |= {f"{name} measured": measured, f"{name} predicted": expected[name]}
        row[f"{name} error"] = expected[name] / measured - 1
    return row | {
        "strangers, cores": strangers,
        "failed": int((offered.status != 200).sum()),
        **{name: figures[name] for name in ("sent_late_p99_ms", "client_cores")},
    }


def found(times: Times, capacities: Rows, points: Rows, disturbed: str) -> dict[str, Any]:
    errors = {name: [abs(one[f"{name} error"]) for one in points] for name in SHOWN}
    return {
        "disturbed": f"**Disturbed before the start: {disturbed}.**" if disturbed else "",
        "on": f"Times measured on one replica, {times.cores} cores:\n\n{in_words(times)}",
        "Capacity": capacities,
        "Latency at a share of it": points,
        "errors": "; ".join(
            f"error of {name}: {np.median(found):.0%} in the middle, {max(found):.0%} at worst"
            for name, found in errors.items()
        ),
    }


def panel(times: Times, capacity: Row, points: Rows) -> Panel:
    from pandas import DataFrame

    replicas = int(capacity["replicas"])
    rates = np.linspace(0.1, 0.95, 14) * capacity["predicted req/s"]
    node = times.node(replicas)
    runs = [simulate(poisson(rate, 20.0, seed=5), node, times.costs) for rate in rates]
    predicted = DataFrame([percentiles(run.latency_ms) for run in runs], rates)
    measured = DataFrame([*points]).set_index("req/s").query(f"replicas == {replicas}")
    lines = {f"{name} predicted": predicted[name] for name in SHOWN}
    lines |= {f"{name} measured": measured[f"{name} measured"] for name in SHOWN}
    marks = [(capacity["measured req/s"], "capacity measured")]
    title, rate = f"{replicas} replica{'s' * (replicas > 1)}", "requests a second, Poisson"
    return Panel(title, lines, rate, "latency, ms", log="y", marks=marks)
