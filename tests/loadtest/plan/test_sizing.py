"""sizing.py: the fewest nodes that keep the bound."""

from dataclasses import replace

import pytest

from loadtest.plan import sizing
from loadtest.plan.queueing import Cost, Costs, Node
from loadtest.plan.sizing import Plan, Wish, size, staffing

COSTS = Costs(
    Cost(2.4, 3.0), each=0.9, loop=Cost(0.5, 0.8), proxy=Cost(0.15, 0.3), overlap=1.5, other_ms=0.1
)
NODE = Node(1, 2, max_batch=4, idle_cores=0.2)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "REQUESTS", 800)


def sized(rps: float, p95_ms: float = 30.0, **others: float) -> Plan:
    wish = Wish(rps, p95_ms, cores_per_node=8, seconds=0.5)
    return size(replace(wish, **others), COSTS, NODE)  # type: ignore[arg-type]


def test_the_plan_keeps_the_bound_with_the_headroom_asked_for() -> None:
    found = sized(4000)
    assert found.outcome.quantile(0.95) <= 30
    assert found.carries_rps >= 1.2 * 4000
    assert found.replicas <= 8


def test_more_requests_never_need_fewer_nodes() -> None:
    nodes = [sized(rps).nodes for rps in (300, 1000, 3000, 9000)]
    assert nodes == sorted(nodes)
    assert nodes[0] < nodes[-1]


def test_a_tighter_bound_never_needs_fewer_replicas() -> None:
    replicas = [plan.nodes * plan.replicas for plan in (sized(4000, p95) for p95 in (200, 30, 7))]
    assert replicas == sorted(replicas)


def test_bursts_need_more_than_lone_arrivals() -> None:
    lone, bursts = sized(4000, 9.0), sized(4000, 9.0, burst=40.0)
    assert bursts.nodes * bursts.replicas > lone.nodes * lone.replicas


def test_a_little_load_needs_one_replica() -> None:
    found = sized(10)
    assert (found.nodes, found.replicas) == (1, 1)


def test_a_bound_below_a_lone_requests_time_is_refused_with_what_can_be_had() -> None:
    with pytest.raises(ValueError, match="waits .* where it is alone"):
        sized(100, p95_ms=2.0)


def test_the_square_root_rule_adds_a_margin_that_shrinks_with_size() -> None:
    small, large = staffing(1000, COSTS, NODE), staffing(100_000, COSTS, NODE)
    per_clip_s = sizing.replica_ms(COSTS, NODE) / 1e3
    assert small > 1000 * per_clip_s
    assert small / (1000 * per_clip_s) > large / (100_000 * per_clip_s)


def test_a_replicas_time_is_that_of_both_threads_where_they_take_turns() -> None:
    alone = Costs(Cost(2.0, 2.0), loop=Cost(0.5, 0.5), overlap=1.0)
    assert sizing.replica_ms(alone, NODE) == pytest.approx(2.5)
    assert sizing.replica_ms(replace(alone, overlap=2.0), NODE) == pytest.approx(2.0)
