"""What a request costs the threads on its way, measured at a running service on this machine.

Three runs, on one replica: a lone closed loop (a batch of one, warm), a light open loop (threads
that stood idle in between), and a closed loop that saturates (full batches). CPU comes from /proc,
less what the idle service takes. The two busiest threads of a replica are its worker and its loop.
"""

import math
import os
import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from data.domains.domain import load_domains
from loadtest.machine import REPORTED, by_role, by_thread, cpu_s, strangers, tree, use
from loadtest.open_loop import Offered, Plan, offer
from loadtest.own_service import SETTLE_S, Target
from loadtest.plan.queueing import Cost, Costs, Node, saturate, simulate
from loadtest.report import table

IDLE_S = 4.0
CLIENTS = 24  # of the closed loops that saturate a replica; no more than it admits
LIGHT = 0.1  # of the capacity


@dataclass(frozen=True)
class Times:
    costs: Costs
    cores: int
    max_batch: int
    idle_cores: float
    capacity_rps: float  # one replica, closed loops
    lone_p50_ms: float
    light_p50_ms: float
    strangers: float  # the most cores that others used during a run
    idle_by_role: dict[str, float]
    busy_ms_by_role: dict[str, float]

    def node(self, replicas: int) -> Node:
        return Node(replicas, self.cores, self.max_batch, self.idle_cores)


def read(path: Path) -> Times:
    """Raises ValueError for a file that holds no service times."""
    try:
        return TypeAdapter(Times).validate_json(path.read_bytes())
    except ValidationError as error:
        words = f"{path} holds no service times ({error.errors()[0]['msg']})"
        raise ValueError(f"{words}; telltale plan leaves some in its --out") from None


def in_words(times: Times) -> str:
    costs = times.costs
    threads = {"event loop": costs.loop, "HAProxy": costs.proxy, "client": costs.client}
    threads = {"worker, a clip alone": costs.worker, **threads, "beside it": Cost(costs.other_ms)}
    rows = [
        {"of a request": name, "CPU ms": cost.warm_ms, "after idleness": cost.cold_ms or None}
        for name, cost in threads.items()
    ]
    return f"""{table(rows)}

Each more of a batch takes the worker {costs.each:.2f} of that; a replica's two threads get \
{costs.overlap:.2f} cores together, the idle service {times.idle_cores:.2f}. One replica carries \
{times.capacity_rps:.0f} requests/s; a lone client waits {times.lone_p50_ms:.1f} ms, of which \
{costs.delay_ms:.2f} ms is no CPU."""


@dataclass(frozen=True)
class Spent:
    offered: Offered
    roles_ms: dict[str, float]  # CPU of a request
    worker_ms: float  # of the replica's busiest thread
    loop_ms: float  # of the next
    strangers: float  # cores used by processes that are neither the service nor its client

    @property
    def client_ms(self) -> float:
        return self.offered.client_cpu_s / self.offered.due_s.size * 1e3


def measure(service: Target, clip: bytes, seconds: float) -> Times:
    """Raises ValueError where the service is not on this machine or has not one replica."""
    replicas, root = service.replicas()
    if len(replicas) != 1:
        raise ValueError(f"times are measured on one replica; {service.url} has {len(replicas)}")
    max_batch = load_domains(names=(service.domain,))[service.domain].serving.max_batch_size
    plan = Plan(service.url, clip, seconds)
    offer(replace(plan, seconds=2.0, clients=8))  # connections, caches
    time.sleep(SETTLE_S)
    before = use(tree([root]))
    time.sleep(IDLE_S)
    used = by_role(cpu_s(before, use(tree([root]))), REPORTED)
    idle = {role: seconds / IDLE_S for role, seconds in used.items()}
    run = partial(spend, root, replicas[0], idle)
    lone, full = run(plan), run(replace(plan, clients=CLIENTS))
    capacity = full.offered.answered_per_s
    light = run(replace(plan, rate=max(5.0, LIGHT * capacity)))
    times = Times(
        costs=_costs(lone, light, full, max_batch),
        cores=os.cpu_count() or 1,
        max_batch=max_batch,
        idle_cores=sum(idle.values()),
        capacity_rps=capacity,
        lone_p50_ms=float(np.median(lone.offered.latency_ms)),
        light_p50_ms=float(np.median(light.offered.latency_ms)),
        strangers=max(run.strangers for run in (lone, light, full)),
        idle_by_role=idle,
        busy_ms_by_role=full.roles_ms | {"client": full.client_ms},
    )
    return fitted(times, light.offered)


def spend(root: int, replica: int, idle: Mapping[str, float], plan: Plan) -> Spent:
    before = use(tree([root]))
    offered = offer(plan)
    after = use(tree([root]))
    each, passed = 1e3 / offered.due_s.size, after.at - before.at
    used = by_role(cpu_s(before, after), REPORTED)
    roles = {name: (s - idle.get(name, 0.0) * passed) * each for name, s in used.items()}
    worker_ms, loop_ms = (spent * each for spent in by_thread(before, after)[replica][:2])
    roles["replica's other threads"] = max(0.0, roles["replica"] - worker_ms - loop_ms)
    return Spent(offered, roles, worker_ms, loop_ms, strangers(before, after))


def _costs(lone: Spent, light: Spent, full: Spent, max_batch: int) -> Costs:
    """Warm figures from the lone and the full run, cold ones from the light one, whose gaps are
    exponential with mean `gap_ms`; min(1, gap) is then 1 - 1/e."""
    gap_ms = 1e3 * light.offered.seconds / light.offered.due_s.size

    def cost(warm_ms: float, light_ms: float) -> Cost:
        cold_ms = warm_ms + max(0.0, light_ms - warm_ms) / (1 - math.exp(-1))
        return Cost(warm_ms, cold_ms, gap_ms)

    # Per clip, a full batch costs alone * (1 + each * (n - 1)) / n.
    beyond = full.worker_ms / lone.worker_ms * max_batch - 1
    each = max(0.1, beyond / (max_batch - 1)) if max_batch > 1 else 1.0
    other = sum(ms for role, ms in full.roles_ms.items() if role not in ("replica", "haproxy"))
    # The worker's own times as multiples of their mean; the slowest 0.5 % left out, which on a
    # shared machine are other people's.
    worked = lone.offered.worked_ms[np.isfinite(lone.offered.worked_ms)]
    found = np.quantile(worked if worked.size else [1.0], np.linspace(0.0, 0.995, 200))
    return Costs(
        worker=cost(lone.worker_ms, light.worker_ms),
        each=each,
        loop=cost(full.loop_ms, light.loop_ms),
        proxy=cost(full.roles_ms["haproxy"], light.roles_ms["haproxy"]),
        client=cost(full.client_ms, light.client_ms),
        other_ms=max(0.0, other),
        spread=tuple((found / found.mean()).round(4).tolist()),
    )


def fitted(times: Times, light: Offered) -> Times:
    """Two figures that no counter shows: how far a replica's two threads run together, from the
    capacity of one replica; and what a light load waits beyond its CPU, from its median."""

    def rate(overlap: float) -> float:
        costs = replace(times.costs, overlap=overlap)
        return saturate(times.node(1), costs, CLIENTS, seconds=5.0).answered_per_s

    overlaps = np.linspace(1.0, 2.0, 4097).tolist()
    reached = bisect_left(overlaps, times.capacity_rps, hi=len(overlaps) - 1, key=rate)
    costs = replace(times.costs, overlap=round(overlaps[reached], 4))
    delay_ms = times.light_p50_ms - simulate(light.due_s, times.node(1), costs).quantile(0.5)
    return replace(times, costs=replace(costs, delay_ms=round(max(0.0, delay_ms), 3)))
