"""Past one machine, on paper: the nodes that a rate needs, and whether the paper is right.

    telltale plan --rps 10000 --p95-ms 100                 times measured here, then sized
    telltale plan --rps 10000 --p95-ms 100 --times times.json
    telltale plan --check --out results                    predicted against measured

The times of one request are measured at a service on this machine and left in --out as times.json;
a node is simulated with them, and nodes are added until the p95 holds. A node's cores are taken to
be like ours. --check predicts from the times of one replica what one and two do here at several
loads; the simulation is given the very same arrivals, and the client, which is busy on the same
cores. A point during which strangers used the machine is measured once more.
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from loadtest import machine, open_loop
from loadtest.clip import tone_in_noise
from loadtest.command import Arguments, Words, contents, counted, exit_code, new_parser, positive
from loadtest.machine import tree, use
from loadtest.open_loop import Offered, offer, poisson
from loadtest.own_service import Target, bound, own_service, shipped
from loadtest.plan import service_times
from loadtest.plan.queueing import saturate, simulate
from loadtest.plan.service_times import CLIENTS, Times
from loadtest.plan.sizing import Plan, Wish, cpu_ms, size
from loadtest.report import Panel, Row, Rows, figure, percentiles, publish, write_json

SHARES = (0.3, 0.5, 0.7, 0.85)
REPLICAS = (1, 2)
STRANGERS = 0.1  # cores, during a point; more, and it is measured again
TRIES = 2
CONNECTING_S = 1.0  # a client's first second opens its connections, and is left out on both sides
SHOWN = ("p50_ms", "p95_ms")  # in the plot


def planned(arguments: Arguments) -> None:
    arguments.clip = arguments.clip or tone_in_noise()
    (check if arguments.check else plan)(arguments)


def parsed(words: Words = None) -> Arguments:
    parser = new_parser("plan", __doc__)
    parser.add_argument("--rps", type=positive, help="requests a second that are to be served")
    parser.add_argument("--p95-ms", type=positive, default=100.0)
    parser.add_argument("--cores-per-node", type=counted, default=16)
    parser.add_argument("--burst", type=positive, default=1.0, help="that come at once, on average")
    parser.add_argument("--headroom", type=float, default=0.2, help="carried on top of --rps")
    parser.add_argument("--clip", type=contents, help="default: 5 s of synthesised sound")
    parser.add_argument("--times", type=Path, help="service times that were measured before")
    parser.add_argument("--url", help="a service here with one replica; default: start one")
    parser.add_argument("--port", type=int, default=8120, help="of the service that is started")
    parser.add_argument("--check", action="store_true", help="predicted against measured, here")
    parser.add_argument("--seconds", type=positive, default=10.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=Path("var/plan"))
    parser.add_argument("--anyway", action="store_true", help="check on a busy machine, and say so")
    arguments = parser.parse_args(words)
    if not arguments.check and arguments.rps is None:
        parser.error("say how much is to be served, such as --rps 10000, or ask for --check")
    if arguments.burst < 1 or arguments.headroom < 0:
        parser.error("--burst is at least 1, --headroom at least 0")
    return arguments


def plan(arguments: Arguments) -> None:
    if arguments.times:
        found = service_times.read(arguments.times)
    else:
        given = nullcontext(Target(arguments.url)) if arguments.url else None
        with given or own_service(arguments.port, bound(shipped(), 1, 1)) as service:
            found = service_times.measure(service, arguments.clip, arguments.seconds)
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_json(arguments.out / "times.json", found)
    asked = ("rps", "p95_ms", "cores_per_node", "burst", "headroom")
    wish = Wish(**{name: getattr(arguments, name) for name in asked})
    print(service_times.in_words(found), end="\n\n")
    print(in_words(size(wish, found.costs, found.node(1)), wish, found))


def in_words(found: Plan, wish: Wish, measured: Times) -> str:
    outcome, cores = found.outcome, wish.cores_per_node
    p50, p95, p99 = (outcome.quantile(share) for share in (0.5, 0.95, 0.99))
    work_cores = wish.rps * cpu_ms(measured.costs, measured.node(1)) / 1e3
    return f"""{wish.rps:g} requests/s with a p95 of at most {wish.p95_ms:g} ms:
  {found.nodes} nodes of {cores} cores with {found.replicas} replicas each, \
{found.nodes * found.replicas} replicas in all
  predicted p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms
  each node uses {outcome.used_cores:.1f} of {cores} cores ({outcome.used_cores / cores:.0%}); \
batches of {outcome.batch:.1f} clips; its HAProxy uses {found.proxy_cores:.2f} of its one core
  carries {found.carries_rps:.0f} requests/s before the p95 breaks: \
{found.carries_rps / wish.rps - 1:.0%} headroom
  cross-check, square-root rule: {found.staffing} replicas for {work_cores:.0f} cores of work"""


def check(arguments: Arguments) -> None:
    disturbed, seconds = machine.disturbance(), arguments.seconds
    if disturbed and not arguments.anyway:
        raise ValueError(f"{disturbed}, or say --anyway and do not trust the result")
    points, capacities = list[Row](), list[Row]()
    times: Times | None = None
    for replicas in REPLICAS:
        with own_service(arguments.port, bound(shipped(), replicas, replicas)) as service:
            times = times or service_times.measure(service, arguments.clip, seconds)
            full = open_loop.Plan(service.url, arguments.clip, seconds, clients=CLIENTS * replicas)
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


def _quietest(plan: open_loop.Plan, share: float, replicas: int, times: Times, root: int) -> Row:
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


def found(times: Times, capacities: Rows, points: Rows, disturbed: str) -> Row:
    on = f"Times measured on one replica, {times.cores} cores:\n\n{service_times.in_words(times)}"
    errors = {name: [abs(one[f"{name} error"]) for one in points] for name in SHOWN}
    return {
        "disturbed": f"**Disturbed before the start: {disturbed}.**" if disturbed else "",
        "on": on,
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


if __name__ == "__main__":
    raise SystemExit(exit_code(planned, parsed()))
