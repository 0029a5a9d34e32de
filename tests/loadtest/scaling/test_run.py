"""What the users got: kept request by request, summed up exactly."""

from pathlib import Path

import numpy as np

from loadtest.report import quantiles
from loadtest.scaling.run import Answer, Record, Users, read_record, summarise

WRITTEN = """{"at": 99.5, "wanted": 2}
{"at": 100.0, "there": 2}
{"at": 100.4, "ms": 12.3, "refused": false, "cause": ""}
{"at": 100.5, "ms": 1.0, "refused": true, "cause": ""}
{"at": 100.6, "ms": 5.0, "refused": false, "cause": "connection reset"}
{"at": 101.5, "there": 0}
"""


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "record.jsonl").write_text(WRITTEN, encoding="utf-8")
    record = read_record(tmp_path / "record.jsonl")
    assert record.steps == [Users(99.5, 2)]
    assert record.there == [Users(100.0, 2), Users(101.5, 0)]
    assert record.answers[2] == Answer(100.6, 5.0, cause="connection reset")


def test_a_refusal_is_no_failure_and_no_answer(tmp_path: Path) -> None:
    (tmp_path / "record.jsonl").write_text(WRITTEN, encoding="utf-8")
    found = summarise(read_record(tmp_path / "record.jsonl"), 100.0, 101.5)
    assert (found["answered"], found["refused"], found["failed"]) == (1, 1, 1)
    assert (found["p50_ms"], found["p99_ms"]) == (12.3, 12.3)


def test_a_percentile_is_an_answer_that_somebody_got() -> None:
    assert quantiles([40.0, 10.0, 30.0, 20.0], 0.5, 0.95, 0.99) == [20.0, 40.0, 40.0]
    assert quantiles([10.0], 0.5, 0.95) == [10.0] * 2
    assert np.isnan(quantiles([], 0.5))


def test_a_rate_counts_the_time_that_really_passed() -> None:
    record = Record([Answer(0.1 * n, 1.0) for n in range(30)], [], [])
    assert summarise(record, 0.0, 1.5)["req_s"] == 10.0
    assert summarise(record, 5.0, 6.0)["req_s"] == 0.0
