"""history.py: what replicas have counted, as traffic over time."""

from typing import Any

import pytest

from serve_app.client.past_answers import Traffic
from serve_app.control.history import GONE_S, History
from serve_app.replica.latencies import Latencies
from serve_app.replica.series import key

BEGIN = 1_000_000.0  # a multiple of five seconds


class Replica:
    """Counts as a real one does."""

    def __init__(self, name: str, born: float) -> None:
        self.name, self.born = name, born
        self.latencies, self.refused, self.swaps, self.version = Latencies(), 0, 1, "1"

    def answer(self, times: int, seconds: float = 0.01) -> None:
        for _ in range(times):
            self.latencies.add(seconds)

    def row(self, at: float) -> dict[str, Any]:
        return {
            "replica": self.name,
            "version": self.version,
            "uptime_s": at - self.born,
            "latencies": list(self.latencies.counts),
            "refused": self.refused,
            "swaps": self.swaps,
        }


def read(history: History, at: float, window: Any = "5m") -> list[Traffic]:
    return [Traffic.model_validate(point) for point in history.points(window, at)]


def test_a_point_tells_rates_quantiles_replicas_and_versions() -> None:
    history, one, two = History(), Replica("a", BEGIN), Replica("b", BEGIN)
    history.note([one.row(BEGIN), two.row(BEGIN)], BEGIN)
    bare = {**one.row(BEGIN), "replica": "c", "version": None}  # it has no model yet
    for second in range(1, 5):
        one.answer(19)
        two.answer(1, seconds=1.0)
        two.refused += 3
        two.version, two.swaps = "2", 2
        history.note([one.row(BEGIN + second), two.row(BEGIN + second), bare], BEGIN + second)
    (point,) = read(history, BEGIN + 4)
    assert (point.at.timestamp(), point.seconds) == (BEGIN, 4)
    assert (point.answered_per_s, point.refused_per_s) == (20, 3)
    assert point.p50_ms == pytest.approx(10, rel=0.2)
    assert point.p95_ms == pytest.approx(10, rel=0.2)
    assert (point.replicas, point.versions, point.swaps) == (3, {"1": 1, "2": 1}, 1)


def test_what_a_curator_did_not_see_is_not_counted_and_a_newborn_counts_in_full() -> None:
    history, old = History(), Replica("a", BEGIN - 500)
    old.answer(1000)
    history.note([old.row(BEGIN)], BEGIN)
    young = Replica("b", BEGIN)
    young.answer(8)
    history.note([old.row(BEGIN + 1), young.row(BEGIN + 1)], BEGIN + 1)
    (point,) = read(history, BEGIN + 1)
    assert (point.answered_per_s, point.swaps) == (8, 0)


def test_a_replica_that_is_silent_for_a_while_is_counted_once() -> None:
    history, one = History(), Replica("a", BEGIN)
    history.note([one.row(BEGIN)], BEGIN)
    one.answer(10)
    history.note([], BEGIN + 1)
    history.note([one.row(BEGIN + 2)], BEGIN + 2)
    history.note([one.row(BEGIN + 3)], BEGIN + 3)
    late = BEGIN + 4 + 2 * GONE_S
    history.note([], late - 1)
    history.note([one.row(late)], late)
    points = read(history, late, "1h")
    assert sum(point.answered_per_s * point.seconds for point in points) == pytest.approx(10, 0.01)


def test_a_row_that_tells_no_counters_does_not_count_them_twice() -> None:
    history, one, asked = History(), Replica("a", BEGIN), key("telltale_unknown_total", domain="d")
    history.note([], BEGIN)
    for second, counted in enumerate((5, None, 7), start=1):
        row = one.row(BEGIN + second)
        history.note([row if counted is None else {**row, "counted": {asked: counted}}], BEGIN + 9)
    assert history.counted[asked] == 7


def test_the_hour_has_a_point_a_minute_and_no_more_is_kept() -> None:
    history, one = History(), Replica("a", BEGIN)
    for second in range(0, 9000, 5):
        one.answer(5)
        history.note([one.row(BEGIN + second)], BEGIN + second)
    end = BEGIN + 8999
    hour, minutes = read(history, end, "1h"), read(history, end)
    assert 59 <= len(hour) <= 61
    assert len(minutes) == 60
    assert {point.answered_per_s for point in hour[1:]} == {1.0}
    assert hour[0].at.timestamp() >= end - 3600 - 60
