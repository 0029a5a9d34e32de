"""What the users got: kept second by second, summed up exactly."""

from pathlib import Path

from loadtest.client.clip import REFUSED
from loadtest.scaling.record import Begun, Tally, as_line, percentiles, read_record, summarise


def test_a_refusal_is_no_failure_and_no_answer() -> None:
    tally = Tally()
    tally.saw("/predict", 12.3, None)
    tally.saw(REFUSED, 1.0, None)
    tally.saw("/predict", 5.0, OSError("connection reset"))
    second = tally.take(at=100.0, lasted_s=1.0, users=3)
    assert (second.latencies_ms, second.refused, second.failed) == ([12.3], 1, 1)
    assert second.causes == {"connection reset": 1}


def test_a_second_starts_from_nothing() -> None:
    tally = Tally()
    tally.saw("/predict", 1.0, None)
    tally.take(at=100.0, lasted_s=1.0, users=1)
    assert tally.take(at=101.0, lasted_s=1.0, users=1).latencies_ms == []


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    tally = Tally()
    tally.saw("/predict", 7.5, None)
    tally.saw("/predict", 9.0, "503")
    second, step = tally.take(at=100.0, lasted_s=1.01, users=2), Begun(at=99.5, users=2)
    path = tmp_path / "record.jsonl"
    path.write_text(as_line(step) + as_line(second), encoding="utf-8")
    record = read_record(path)
    assert (record.steps, record.seconds) == ((step,), (second,))


def test_a_percentile_is_an_answer_that_somebody_got() -> None:
    assert percentiles([40.0, 10.0, 30.0, 20.0]) == [20.0, 40.0, 40.0]
    assert percentiles([10.0]) == [10.0] * 3
    assert percentiles([]) == [None] * 3


def test_a_rate_counts_the_time_that_really_passed() -> None:
    tally = Tally()
    for _ in range(3):
        tally.saw("/predict", 1.0, None)
    assert summarise([tally.take(at=0.0, lasted_s=1.5, users=1)]).req_s == 2.0
    assert summarise([]).req_s == 0.0
