"""How replicas followed the load, from what was sampled."""

from dataclasses import replace

import pytest

from loadtest.scaling.outcome import changes, starts
from loadtest.scaling.sampler import Sample
from support.followed import START, run


def test_a_step_up_counts_until_decided_running_and_answering() -> None:
    found = run()
    up, _ = changes(found.record.steps, found.samples)
    assert (up.users_before, up.users, up.replicas_before, up.replicas) == (2, 24, 1, 3)
    assert (up.wanted_s, up.running_s) == (1.0, 4.0)
    assert up.answering_s == 5.0


def test_a_step_down_counts_until_the_fewest_are_left() -> None:
    found = run()
    _, down = changes(found.record.steps, found.samples)
    assert (down.users, down.replicas_before, down.replicas) == (2, 3, 1)
    assert (down.wanted_s, down.running_s, down.answering_s) == (6.0, 6.0, None)


def test_replicas_that_stay_as_many_are_no_change() -> None:
    found = run()
    steady = [Sample(s.at, {"RUNNING": 2}, s.replicas, s.cpu_s) for s in found.samples]
    assert changes(found.record.steps, steady) == []


def test_a_service_that_tells_no_states_is_not_guessed_at() -> None:
    found = run()
    silent = [replace(sample, states={}) for sample in found.samples]
    assert changes(found.record.steps, silent) == []
    assert starts(silent, START) == []


def test_a_cold_start_is_from_the_order_to_running() -> None:
    b, c = starts(run().samples, START)
    assert (b.name, b.at_s, c.name) == ("b", 10.5, "c")
    assert (b.seen_s, c.seen_s) == pytest.approx((2.5, 3.5))


def test_a_replica_that_reports_its_own_start_is_believed() -> None:
    found = run()
    told = [
        replace(s, replicas=tuple(replace(r, ready_in_s=1.9) for r in s.replicas))
        for s in found.samples
    ]
    assert [start.ready_in_s for start in starts(told, START)] == [1.9, 1.9]
