"""How many replicas on how many nodes a rate needs, so that its p95 stays below a bound.

One node's share is simulated: nodes stand independently behind whatever spreads the requests over
them, each with its own HAProxy. The smallest number of nodes is sought first, then the fewest
replicas on each; as a cross-check, Halfin and Whitt's square-root rule (Operations Research 29,
1981) stands beside it.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from loadtest.open_loop import poisson
from loadtest.plan.queueing import Cost, Costs, Node, Result, simulate

MAX_NODES = 100_000
REQUESTS = 12_000  # simulated for each candidate; a p95 then stands to a few percent


@dataclass(frozen=True)
class Wish:
    rps: float
    p95_ms: float
    cores_per_node: int
    burst: float = 1.0  # requests that come at once, on average
    headroom: float = 0.2  # the share of the rate that must be carried on top
    seconds: float = 20.0  # simulated of the node that is chosen


@dataclass(frozen=True)
class Plan:
    nodes: int
    replicas: int  # a node
    outcome: Result  # a node's, at its share of the rate
    carries_rps: float  # all nodes, before the p95 breaks the bound
    proxy_cores: float  # a node's HAProxy, one thread
    staffing: int  # replicas in all by the square-root rule


def size(wish: Wish, costs: Costs, node: Node) -> Plan:
    """`node` gives what does not depend on the wish: batch, limit, idle cores. Raises ValueError
    for a bound that no number of nodes can keep, with the least that can be had."""
    costs = replace(costs, client=Cost())  # clients bring their own machines
    node = replace(node, cores=wish.cores_per_node)
    lone = simulate(poisson(2.0, 200.0, seed=3), replace(node, replicas=1), costs).quantile(0.95)
    if lone > wish.p95_ms:
        raise ValueError(
            f"a p95 of {wish.p95_ms:g} ms cannot be kept: a request waits {lone:.1f} ms where it "
            "is alone; ask for more than that"
        )
    # From what CPU and HAProxy's one thread allow at full use, upwards by 2 % at most.
    rps, usable = (1 + wish.headroom) * wish.rps, max(0.1, node.cores - node.idle_cores)
    least = rps / 1e3 * max(cpu_ms(costs, node) / usable, costs.proxy.warm_ms)
    for nodes in np.unique(np.ceil(max(1.0, least * 0.999) * 1.02 ** np.arange(600))).tolist():
        theirs = replace(wish, burst=1 + (wish.burst - 1) / nodes)  # a burst is spread as well
        replicas = _fewest_replicas(rps / nodes, theirs, costs, node)
        if replicas is not None or nodes > MAX_NODES:
            break
    if replicas is None:
        raise ValueError(f"more than {MAX_NODES} nodes would be needed")
    node = replace(node, replicas=replicas)
    due = poisson(wish.rps / nodes, wish.seconds, seed=11, burst=theirs.burst)
    return Plan(
        nodes=int(nodes),
        replicas=replicas,
        outcome=simulate(due, node, costs),
        carries_rps=nodes * _carries(rps / nodes, theirs, costs, node),
        proxy_cores=wish.rps / nodes * costs.proxy.warm_ms / 1e3,
        staffing=staffing(wish.rps, costs, node),
    )


def keeps(rate: float, wish: Wish, costs: Costs, node: Node) -> bool:
    """Whether the p95 stays below the bound, also in the later half, where growing queues show."""
    due = poisson(rate, REQUESTS / rate, seed=11, burst=wish.burst)
    waits = simulate(due, node, costs).latency_ms
    worst = max(np.quantile(waits, 0.95), np.quantile(waits[waits.size // 2 :], 0.95))
    return bool(worst <= wish.p95_ms)


def _fewest_replicas(rate: float, wish: Wish, costs: Costs, node: Node) -> int | None:
    """More replicas than cores only take turns: none where a full node does not keep the bound."""
    most = max(1, int(node.cores))

    def good(replicas: int) -> bool:
        return keeps(rate, wish, costs, replace(node, replicas=replicas))

    return 1 + bisect_left(range(1, most), True, key=good) if good(most) else None


def _carries(rate: float, wish: Wish, costs: Costs, node: Node) -> float:
    """The highest rate of one node that keeps the bound, to 2 %; `rate` does."""
    rates = (rate * 1.02 ** np.arange(47)).tolist()  # up to 2.5 times as much
    broken = bisect_left(rates, True, lo=1, key=lambda more: not keeps(more, wish, costs, node))
    return float(rates[broken - 1])


def cpu_ms(costs: Costs, node: Node) -> float:
    """Of one request, in full batches, on the node."""
    return worker_ms(costs, node) + costs.loop.warm_ms + costs.proxy.warm_ms + costs.other_ms


def worker_ms(costs: Costs, node: Node) -> float:
    return costs.worker.warm_ms * (1 + costs.each * (node.max_batch - 1)) / node.max_batch


def replica_ms(costs: Costs, node: Node) -> float:
    """Of a saturated replica's time, one request's part: its worker's and, as far as the two
    cannot run together, its loop's."""
    worker, loop = min(worker_ms(costs, node), costs.worker.warm_ms), costs.loop.warm_ms
    return abs(worker - loop) + 2 * min(worker, loop) / costs.overlap


def staffing(rps: float, costs: Costs, node: Node, waiting: float = 0.05) -> int:
    """Replicas so that a share `waiting` of the requests finds all busy: load + beta * its
    root, where waiting = 1 / (1 + beta * Phi(beta) / phi(beta))."""
    load = rps * replica_ms(costs, node) / 1e3
    beta: float = brentq(lambda b: 1 / (1 + b * norm.cdf(b) / norm.pdf(b)) - waiting, 0.0, 6.0)
    return math.ceil(load + beta * math.sqrt(load))
