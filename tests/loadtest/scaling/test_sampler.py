"""What is sampled of a service, and what is left open where it does not tell."""

import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from fastapi import FastAPI

from data.errors import InvalidParameter, NotReady
from loadtest.machine.processes import environment_of
from loadtest.machine.usage import service_root
from loadtest.scaling.sampler import Sampler, Target, check_served, cpu_seconds, sample
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
    assert (second.name, second.state, second.version, second.started_at) == (
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

    with Server(app) as url, Sampler(Target(url, "faults")) as sampler:
        assert asked.wait(10)
    assert sampler.samples[0].states == {"RUNNING": 1}
    with Sampler(Target("http://127.0.0.1:9", "faults")) as sampler:
        pass
    assert [found.states for found in sampler.samples] == [{}]


def test_a_service_that_is_away_or_serves_others_is_named_before_any_load() -> None:
    app = FastAPI()
    app.add_api_route("/status", lambda: {"domains": {"faults": {}, "keywords": {}}})
    with Server(app) as url:
        check_served(Target(url, "keywords"))
        with pytest.raises(InvalidParameter, match="'hearts'; it serves faults, keywords"):
            check_served(Target(url, "hearts"))
    with pytest.raises(NotReady, match="no Telltale answers at http://127.0.0.1:9 "):
        check_served(Target("http://127.0.0.1:9", "faults"))


def test_cpu_is_counted_for_a_process_and_all_below_it() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    work = "sum(range(10**7)); print('done', flush=True); input()"
    command = [sys.executable, "-c", code, work]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=os.environ | {"MARK": "here"}, **pipes) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        assert sum(cpu_seconds([process.pid]).values()) > 0
        assert environment_of(process.pid, "MARK") == "here"
        assert environment_of(process.pid, "NO_SUCH_MARK") is None
        assert service_root(process.pid) is None
        process.stdin.write(b"\n")
    assert cpu_seconds([process.pid]) == {}
