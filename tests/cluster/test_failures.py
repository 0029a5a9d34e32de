"""What goes on when a part dies: the data plane never waits for the control plane."""

import os
import signal
import time

import httpx

from support.inputs.sounds import tone

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
