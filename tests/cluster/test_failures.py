"""What goes on when a part dies: the data plane never waits for the control plane."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from support.inputs.recordings import by_sndfile
from support.inputs.sounds import tone
from support.waiting import wait_for

PATIENCE_S = 60


def test_predictions_go_on_without_the_curator_and_it_comes_back(admin: httpx.Client) -> None:
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
