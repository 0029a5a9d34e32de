"""Users and replicas on one clock."""

from dataclasses import replace

from loadtest.scaling.outcome import per_second
from support.followed import run


def test_each_second_has_what_the_users_got_and_what_the_replicas_were() -> None:
    found = run()
    row = per_second(found.record, found.samples)[12]
    assert (row.t_s, row.users, row.got.req_s, row.got.refused) == (12.0, 24, 3.0, 1)
    assert (row.got.p50_ms, row.got.p95_ms) == (30.0, 260.0)
    assert (row.running, row.starting, row.stopping) == (2, 1, 0)
    assert row.versions == "3"


def test_cpu_and_batch_size_are_differences_of_counters_that_grow() -> None:
    found = run()
    row = per_second(found.record, found.samples)[20]
    assert row.cores == {"replica": 0.5}
    assert row.batch_size == 8.0
    assert row.queued == 6


def test_what_nobody_told_is_left_empty() -> None:
    found = run()
    row = per_second(found.record, [])[5]
    assert (row.running, row.queued, row.batch_size, row.cores) == (None, None, None, {})
    late = [replace(sample, at=sample.at - 600) for sample in found.samples]
    assert per_second(found.record, late)[5].running is None
