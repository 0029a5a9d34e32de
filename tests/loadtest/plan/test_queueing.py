"""queueing.py against what queueing theory knows in closed form."""

import math

import numpy as np
import pytest

from loadtest.open_loop import poisson
from loadtest.plan.queueing import Cost, Costs, Node, Result, saturate, simulate

TEN_MS = Cost(10.0, 10.0)
EXPONENTIAL = tuple(np.random.default_rng(0).exponential(1.0, 50_000).tolist())


def at_load(
    load: float, costs: Costs, node: Node, servers: int = 1, seconds: float = 1500
) -> Result:
    """Of a service time of 10 ms."""
    return simulate(poisson(load * servers * 100, seconds, seed=3), node, costs)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
def test_one_server_with_exponential_times_waits_as_in_mm1(load: float) -> None:
    found = at_load(load, Costs(TEN_MS, spread=EXPONENTIAL), Node(1, 8, max_batch=1))
    assert found.latency_ms.mean() == pytest.approx(10 / (1 - load), rel=0.08)
    # In M/M/1 the sojourn is exponential itself.
    assert found.quantile(0.95) == pytest.approx(-math.log(0.05) * 10 / (1 - load), rel=0.1)


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
def test_one_server_with_constant_times_waits_as_in_md1(load: float) -> None:
    found = at_load(load, Costs(TEN_MS), Node(1, 8, max_batch=1))
    assert found.latency_ms.mean() == pytest.approx(10 + 10 * load / 2 / (1 - load), rel=0.05)


def test_threads_that_share_c_cores_hold_as_many_as_mmc() -> None:
    """Processor sharing on c cores: the number inside is that of M/M/c, whatever the order."""
    found = at_load(0.8, Costs(TEN_MS, spread=EXPONENTIAL), Node(40, 3, max_batch=1), 3, 300)
    offered = 0.8 * 3
    top = offered**3 / math.factorial(3) / (1 - 0.8)
    waiting = top / (sum(offered**k / math.factorial(k) for k in range(3)) + top)
    assert found.latency_ms.mean() == pytest.approx(10 + waiting * 10 / (3 * (1 - 0.8)), rel=0.06)
    assert found.used_cores == pytest.approx(offered, rel=0.03)


def test_a_batch_server_saturates_at_full_batches() -> None:
    found = saturate(Node(1, 8, max_batch=4), Costs(TEN_MS, each=0.5), clients=16)
    assert found.answered_per_s == pytest.approx(4 / (0.010 * 2.5), rel=0.01)
    assert found.batch == pytest.approx(4, rel=0.01)


def test_a_closed_loop_of_one_never_meets_a_queue() -> None:
    costs = Costs(TEN_MS, loop=Cost(2, 2), proxy=Cost(1, 1), client=Cost(1, 1), delay_ms=3)
    found = saturate(Node(1, 8), costs, clients=1)
    assert found.quantile(0.5) == pytest.approx(10 + 2 + 1 + 1 + 3)


def test_the_slowest_thread_bounds_the_rate() -> None:
    costs = Costs(Cost(1, 1), proxy=Cost(5, 5))
    assert saturate(Node(4, 8), costs, clients=32).answered_per_s == pytest.approx(200, rel=0.02)


def test_cores_bound_the_rate_of_many_replicas() -> None:
    found = saturate(Node(6, 2, max_batch=1, idle_cores=0.5), Costs(TEN_MS), clients=48)
    assert found.answered_per_s == pytest.approx(150, rel=0.02)
    assert found.used_cores == pytest.approx(2, rel=0.02)


def test_what_is_spent_beside_the_requests_takes_from_the_cores() -> None:
    found = saturate(Node(4, 2, max_batch=1), Costs(TEN_MS, other_ms=10.0), clients=32)
    assert found.answered_per_s == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize(("overlap", "rate"), [(1.0, 50.0), (2.0, 100.0)])
def test_a_replicas_two_threads_run_together_as_far_as_overlap_says(
    overlap: float, rate: float
) -> None:
    costs = Costs(TEN_MS, loop=TEN_MS, overlap=overlap)
    found = saturate(Node(1, 8, max_batch=1), costs, clients=16, seconds=20)
    assert found.answered_per_s == pytest.approx(rate, rel=0.03)


def test_a_thread_that_stood_idle_takes_longer() -> None:
    costs = Costs(Cost(10.0, 20.0, gap_ms=30.0))
    rare = simulate(np.arange(0.0, 100.0, 1.0), Node(1, 2), costs)
    assert rare.quantile(0.5) == pytest.approx(20)
    assert saturate(Node(1, 2, max_batch=1), costs, clients=4).answered_per_s == pytest.approx(
        100, rel=0.01
    )


def test_the_same_seed_gives_the_same_run() -> None:
    costs = Costs(TEN_MS, spread=EXPONENTIAL)
    due = poisson(50, 20, seed=4)
    first, again = (simulate(due, Node(1, 2), costs, seed=9) for _ in range(2))
    assert (first.latency_ms == again.latency_ms).all()


def test_what_comes_before_a_moment_is_left_out_of_the_outcome() -> None:
    due = np.concatenate([np.zeros(50), np.arange(1.0, 11.0)])
    all_of_them = simulate(due, Node(1, 2, max_batch=1), Costs(TEN_MS), since_s=0.0)
    settled = simulate(due, Node(1, 2, max_batch=1), Costs(TEN_MS), since_s=0.9)
    assert all_of_them.latency_ms.size == 60
    assert settled.latency_ms.tolist() == pytest.approx([10.0] * 10)
