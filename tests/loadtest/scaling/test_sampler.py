"""What is sampled of a service, and what is left open where it does not tell."""

import threading
from typing import Any

from fastapi import FastAPI

from loadtest.own_service import Target
from loadtest.scaling.sampler import sample, sampled
from support.local_server import Server

OWN = {"replica": "ab1", "version": "3", "queued": 4, "answered": 80, "batches": 10}
SERVE: list[dict[str, Any]] = [
    {"replica_id": "SERVE_REPLICA::faults#DomainService#ab1", "state": "RUNNING"},
    {"replica_id": "cd2", "state": "STARTING", "start_time_s": 90.0},
]


def test_serves_rows_and_a_replicas_own_are_one() -> None:
    found = sample(100.0, {"replicas": [OWN]}, SERVE, {})
    assert found.states == {"RUNNING": 1, "STARTING": 1}
    first, second = found.replicas
    assert (first.name, first.state, first.queued, first.batches) == ("ab1", "RUNNING", 4, 10)
    assert (second.name, second.state, second.version, second.start_time_s) == (
        "cd2",
        "STARTING",
        None,
        90.0,
    )


def test_status_alone_is_enough() -> None:
    found = sample(100.0, {"replicas": [OWN], "states": {"RUNNING": 2}}, [], {})
    assert found.states == {"RUNNING": 2}
    assert [replica.name for replica in found.replicas] == ["ab1"]


def test_a_service_that_tells_less_leaves_gaps() -> None:
    found = sample(100.0, {"replicas": [{"replica": "ab1", "version": "3"}]}, [], {})
    assert (found.states, found.replicas[0].queued) == ({}, None)
    assert sample(100.0, {}, [], {}).replicas == ()


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
