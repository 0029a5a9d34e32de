"""What the users got, request by request and summed up exactly; what is sampled of a service."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI

from loadtest.own_service import Target
from loadtest.report import quantiles
from loadtest.scaling.locust_run import read_record, sample, sampled, summarise
from support.local_server import Server

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
    assert record["wanted"] == [{"at": 99.5, "wanted": 2}]
    assert [look["there"] for look in record["there"]] == [2, 0]
    assert [answer["cause"] for answer in record["ms"]] == ["", "", "connection reset"]


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
    each = {"ms": 1.0, "refused": False, "cause": ""}
    record = {"ms": [{"at": 0.1 * n, **each} for n in range(30)]}
    assert summarise(record, 0.0, 1.5)["req_s"] == 10.0
    assert summarise(record, 5.0, 6.0)["req_s"] == 0.0


OWN = {"replica": "ab1", "version": "3", "queued": 4, "answered": 80, "batches": 10}
SERVE: list[dict[str, Any]] = [
    {"replica_id": "SERVE_REPLICA::faults#DomainService#ab1", "state": "RUNNING"},
    {"replica_id": "cd2", "state": "STARTING", "start_time_s": 90.0},
]


def test_serves_rows_and_a_replicas_own_are_one() -> None:
    found = sample(100.0, {"replicas": [OWN]}, SERVE, {})
    assert found.states == {"RUNNING": 1, "STARTING": 1}
    assert [*found.replicas] == ["ab1", "cd2"]
    first, second = found.replicas.values()
    assert (first["state"], first["queued"], first["batches"]) == ("RUNNING", 4, 10)
    assert (second["state"], second["start_time_s"]) == ("STARTING", 90.0)
    assert "version" not in second


def test_status_alone_is_enough() -> None:
    found = sample(100.0, {"replicas": [OWN], "states": {"RUNNING": 2}}, [], {})
    assert found.states == {"RUNNING": 2}
    assert [*found.replicas] == ["ab1"]


def test_a_service_that_tells_less_leaves_gaps() -> None:
    found = sample(100.0, {"replicas": [{"replica": "ab1", "version": "3"}]}, [], {})
    assert (found.states, found.counts("queued")) == ({}, {})
    assert sample(100.0, {}, [], {}).replicas == {}


def test_a_service_is_watched_while_the_block_lasts_and_may_be_away() -> None:
    app = FastAPI()
    asked = threading.Event()

    @app.get("/status")
    def status() -> dict[str, Any]:
        asked.set()
        return {"domains": {"faults": {"replicas": [OWN], "states": {"RUNNING": 1}}}}

    with Server(app) as url, sampled(Target(url, "faults")) as samples:
        assert asked.wait(10)
    assert samples[0].states == {"RUNNING": 1}
    with sampled(Target("http://127.0.0.1:9", "faults")) as samples:
        pass
    assert [found.states for found in samples] == [{}]
