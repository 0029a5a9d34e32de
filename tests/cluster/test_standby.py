"""Spares on the real cluster: the next replica starts in one, and nobody needs them."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from serve_app.cluster.ray_internals.workers import IDLE, JOB_ID, RAYLET_PID, STARTING, workers
from serve_app.cluster.standby import LOOK_EVERY_S
from support.inputs.sounds import tone
from support.service import Service, finished, ordered, process

PATIENCE_S = 90


def test_a_replica_starts_in_a_process_that_stood_by(admin: httpx.Client) -> None:
    eventually(lambda: spares(admin))
    before, killed_at = replicas(admin), time.time()
    os.kill(before[0], signal.SIGKILL)
    fresh = eventually(lambda: set(replicas(admin)) - set(before)).pop()
    assert psutil.Process(fresh).create_time() < killed_at


def test_spares_that_are_killed_cost_no_answer_and_come_back(admin: httpx.Client) -> None:
    killed = eventually(lambda: spares(admin))
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        assert admin.post("/predict", files={"file": tone()}).status_code == 200
    assert not killed & eventually(lambda: spares(admin) - killed)


def test_a_teach_is_done_by_a_job_whose_supervisor_stood_by(admin: httpx.Client) -> None:
    taught(admin)  # Ray's own job that submits others begins with the first
    ready = eventually(lambda: supervisors_that_wait(admin))
    assert ready & taught(admin)


# The last one of the session, whose service has no spares any more.
@pytest.mark.usefixtures("restored")
def test_a_dashboard_that_was_killed_is_back_with_its_jobs_and_no_spare_is_called_for_in_vain(
    service: Service, admin: httpx.Client
) -> None:
    os.kill(process(service, "dashboard/dashboard.py"), signal.SIGKILL)
    eventually(lambda: ordered(admin, {"mode": "teach"}))
    run = admin.get("/keywords/retrain").json()["runs"][0]
    assert finished(admin, run["id"], PATIENCE_S)["state"] == "succeeded"
    given, began = environment(admin), time.time()
    time.sleep(3 * LOOK_EVERY_S)  # in which spares were started, and ended, one after the other
    idle = {IDLE, STARTING}
    found = workers(given[RAYLET_PID], given[JOB_ID]).items()
    fresh = []
    for pid, title in found:
        with suppress(psutil.NoSuchProcess):
            if any(word in title for word in idle) and psutil.Process(pid).create_time() > began:
                fresh.append(pid)
    assert not fresh


def taught(admin: httpx.Client) -> set[int]:
    """Pids of the processes that the teach's driver was started by."""
    run = admin.post("/faults/retrain", json={"mode": "teach"}).json()["id"]
    found: set[int] = eventually(lambda: ancestors(run), pause_s=0)  # it may be gone in a second
    eventually(lambda: admin.get(f"/faults/retrain/{run}").json()["finished"])
    return found


def ancestors(run: str) -> set[int]:
    drivers = psutil.process_iter(["cmdline"])
    found = [process for process in drivers if run in (process.info["cmdline"] or [])]
    with suppress(psutil.NoSuchProcess):
        return {parent.pid for process in found for parent in process.parents()}
    return set()


def supervisors_that_wait(admin: httpx.Client) -> set[int]:
    raylet = environment(admin)[RAYLET_PID]
    jobs = {f"{number:02x}000000" for number in range(2, 8)}
    found = [workers(raylet, job).items() for job in jobs]
    return {pid for row in found for pid, title in row if title == IDLE}


def spares(admin: httpx.Client) -> set[int]:
    """Pids of the service's idle workers."""
    given = environment(admin)
    found = workers(given[RAYLET_PID], given[JOB_ID])
    return {pid for pid, title in found.items() if title == IDLE}


def environment(admin: httpx.Client) -> dict[str, str]:
    """The curator's."""
    pid = eventually(lambda: admin.get("/status").json().get("curator_pid"))
    words = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.partition("=")[::2] for pair in words)


def replicas(admin: httpx.Client) -> list[int]:
    """The pids of the faults replicas, the newest first; none while nobody answers."""
    try:
        rows = admin.get("/status").json()["domains"]["faults"]["replicas"]
    except (httpx.HTTPError, ValueError, KeyError):
        return []
    return [int(row["pid"]) for row in sorted(rows, key=lambda row: row["uptime_s"])]


def eventually(ask: Callable[[], Any], pause_s: float = 0.2) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = ask()
        if found:
            return found
        time.sleep(pause_s)
    raise AssertionError("it did not happen in time")
