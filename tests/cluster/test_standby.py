"""Spares on the real cluster: the next replica starts in one, and nobody needs them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from serve_app.cluster.ray_internals.workers import IDLE, workers
from support.inputs.sounds import tone

PATIENCE_S = 90


def test_a_replica_starts_in_a_process_that_stood_by(admin: httpx.Client) -> None:
    ready = eventually(lambda: spares(admin))
    victim = replica(admin)
    os.kill(victim, signal.SIGKILL)
    fresh = eventually(lambda: replica(admin) not in {0, victim} and replica(admin))
    assert fresh in ready


def test_spares_that_are_killed_cost_no_answer_and_come_back(admin: httpx.Client) -> None:
    killed = eventually(lambda: spares(admin))
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        assert admin.post("/predict", files={"file": tone()}).status_code == 200
    assert not killed & eventually(lambda: spares(admin) - killed)


def spares(admin: httpx.Client) -> set[int]:
    """Pids of the service's idle workers."""
    curator = Path(f"/proc/{admin.get('/status').json()['curator_pid']}/environ")
    given = dict(pair.partition("=")[::2] for pair in curator.read_text().split("\0"))
    found = workers(given["RAY_RAYLET_PID"], given["RAY_JOB_ID"])
    return {pid for pid, title in found.items() if title == IDLE}


def replica(admin: httpx.Client) -> int:
    """The pid of the newest faults replica; 0 while none answers."""
    try:
        rows = admin.get("/status").json()["domains"]["faults"]["replicas"]
    except (httpx.HTTPError, ValueError, KeyError):
        return 0
    return int(min(rows, key=lambda row: row["uptime_s"])["pid"]) if rows else 0


def eventually(ask: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError("it did not happen in time")
