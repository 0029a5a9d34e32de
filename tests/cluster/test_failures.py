"""What goes on when a part dies: the data plane never waits for the control plane.

The service's ports are looked at too, and what an admin types with Ray's own commands.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from serve_app.cluster.service_processes import service_processes
from support.inputs.recordings import by_sndfile
from support.inputs.sounds import tone
from support.service import Service, finished, process, serves_again, titles
from support.waiting import wait_for

PATIENCE_S = 150


def test_predictions_go_on_without_the_curator_and_it_comes_back(admin: httpx.Client) -> None:
    wait_for(lambda: "curator_pid" in admin.get("/status").json(), PATIENCE_S)
    before = admin.get("/status").json()["curator_pid"]
    os.kill(before, signal.SIGKILL)
    for _ in range(20):
        assert admin.post("/predict", files={"file": tone()}).status_code == 200
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        status = admin.get("/status").json()
        if status.get("curator_pid") not in {None, before} and status["domains"]["faults"]["agree"]:
            return
        time.sleep(0.5)
    raise AssertionError(f"the curator did not come back: {status}")


def test_a_killed_replica_is_replaced_on_the_champion(admin: httpx.Client) -> None:
    before = admin.get("/faults/status").json()["domains"]["faults"]
    victim = before["replicas"][0]["pid"]
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        time.sleep(0.5)
        try:
            status = admin.get("/keywords/status").json()["domains"]["faults"]
            answered = admin.post("/predict", files={"file": tone()})
        except httpx.HTTPError:
            continue
        pids = {row["pid"] for row in status["replicas"]}
        if pids and victim not in pids and answered.status_code == 200 and status["agree"]:
            assert answered.json()["model"]["digest"] == before["champion"]["digest"]
            return
    raise AssertionError("no replica took the place of the killed one")


@pytest.mark.deploy
def test_a_recording_is_analysed_though_its_replica_is_killed(admin: httpx.Client) -> None:
    hour = by_sndfile("FLAC", "PCM_16", np.zeros(3_600 * 8_000, np.float32), 8_000)
    order = admin.post("/keywords/analyze", content=hour, headers={"Prefer": "respond-async"})
    location = order.headers["location"]

    def look() -> dict[str, Any]:
        found: dict[str, Any] = admin.get(location).raise_for_status().json()
        return found

    wait_for(lambda: look()["heard_s"] > 0, PATIENCE_S)
    assert look()["state"] == "running"
    wait_for(lambda: "domains" in admin.get("/status").json(), PATIENCE_S)
    for replica in admin.get("/status").json()["domains"]["keywords"]["replicas"]:
        os.kill(replica["pid"], signal.SIGKILL)
    wait_for(lambda: _attempt(look).get("state") == "succeeded", 2 * PATIENCE_S)
    assert look()["result"]["recording"]["duration_s"] == 3_600


def _attempt(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Nothing while no replica answers."""
    try:
        return look()
    except httpx.HTTPError:
        return {}


def test_nobody_on_other_machines_can_reach_anything(service: Service) -> None:
    ours = set(service_processes(service.home.resolve()))
    shown = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    open_to_all = [
        line
        for line in shown.splitlines()
        if ours & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}
        and not re.search(r"^\S+\s+\S+\s+\S+\s+(\[::ffff:)?127\.0\.0\.1\]?:", line)
    ]
    assert "127.0.0.1" in shown
    assert open_to_all == []


@pytest.mark.usefixtures("restored")
def test_rays_own_commands_work_as_an_admin_types_them(service: Service, tmp_path: Path) -> None:
    def typed(line: str) -> str:
        kept = ("HOME", "PATH", "PYTHONPATH")
        bare = {name: os.environ[name] for name in kept if name in os.environ}
        found = subprocess.run(
            ["bash", "-c", f". {service.home}/ray.env && {line}"],
            capture_output=True,
            text=True,
            env=bare,
            cwd=tmp_path,
            timeout=PATIENCE_S,
        )
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    assert "Active:" in typed("ray status")
    assert "keywords" in typed("serve status")
    with service.client(service.admin_key) as admin:
        clip = {"file": tone(777, seed=7)}
        admin.post("/keywords/feedback", files=clip, data={"label": "nine"}).raise_for_status()
        said = typed("ray job submit -- python -m training.retrain keywords --mode teach")
        assert "succeeded" in said.lower()
        assert "training.retrain keywords" in typed("ray job list")
        run = admin.get("/keywords/retrain").json()["runs"][0]
        assert finished(admin, run["id"], 5)["state"] == "succeeded"


@pytest.mark.parametrize("title", ["-db -f", "ray::HAProxyManager"])
def test_without_haproxy_or_its_manager_answers_go_on(service: Service, title: str) -> None:
    victim = process(service, title)
    with service.client() as client:
        client.post("/predict", files={"file": tone()}).raise_for_status()
        os.kill(victim, signal.SIGKILL)
        answered = 0
        until = time.monotonic() + 3
        while time.monotonic() < until:
            with suppress(httpx.TransportError):  # those under way when it died
                answered += client.post("/predict", files={"file": tone()}).status_code == 200
        assert answered > 3
    parts = ("ray::HAProxyManager", "haproxy.cfg")
    wait_for(lambda: all(part in str(titles(service)) for part in parts), PATIENCE_S)
    serves_again(service)
