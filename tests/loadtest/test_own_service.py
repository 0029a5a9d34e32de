"""Nothing of a measurement's own service stays behind, however the measurement ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI, Request

from data.errors import NotReady
from loadtest import own_service
from loadtest.command import STOPS, stop_on_signal
from loadtest.machine import tree
from loadtest.own_service import Service, Target, bound, shipped
from support.local_server import Server

PYTHON = sys.executable
# Deaf to being asked, with a child in a session of its own: as bad as a service can be.
STUBBORN = """#!{python}
import signal, subprocess, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], start_new_session=True)
print("Telltale is up", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service that is started is the program in this file."""
    program = tmp_path / "python"
    program.write_text(STUBBORN.format(python=PYTHON))
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(own_service, "STOP_S", 0.3)
    return program


def run(tmp_path: Path) -> AbstractContextManager[Service]:
    return own_service.own_service(1, {}, left=tmp_path, home=tmp_path)


def test_a_service_that_does_not_stop_is_ended_whole(started: Path, tmp_path: Path) -> None:
    members: set[int] = set()

    def measure() -> None:
        with run(tmp_path) as service:
            members.update(tree([service.process.pid]))
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert len(members) == 2
    assert not members & set(tree(members))


def test_one_that_does_not_start_is_quoted(started: Path, tmp_path: Path) -> None:
    started.write_text(f"#!{PYTHON}\nraise SystemExit('no room left')")
    with pytest.raises(NotReady, match="no room left"), run(tmp_path):
        pass


def test_a_second_ctrl_c_does_not_break_off_the_stopping() -> None:
    stop_on_signal()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    for number in STOPS:
        os.kill(os.getpid(), number)


def test_it_is_scaled_where_its_own_processes_say_ray_is(tmp_path: Path) -> None:
    app = FastAPI()
    told: dict[str, Any] = {}

    @app.put("/api/serve/applications/")
    async def deploy(request: Request) -> dict[str, Any]:
        told.update(await request.json(), key=request.headers["authorization"])
        return {}

    for name in ("ray-token", "admin-key"):
        (tmp_path / name).write_text(f"{name} of this home")
    (tmp_path / "serve.yaml").write_text(yaml.safe_dump(bound(shipped(), 1, 1)))
    service = Service(tmp_path, tmp_path, 8123, "hearts")
    with pytest.raises(NotReady, match="no process of this service has RAY_API_SERVER_ADDRESS"):
        service.scale(1, 3)
    with Server(app) as url:
        environment = {"TELLTALE_SERVICE": str(tmp_path), "RAY_API_SERVER_ADDRESS": url}
        with subprocess.Popen(["sleep", "60"], env=environment) as member:
            service.scale(1, 3)
            member.kill()
    bounds = told["applications"][-1]["deployments"][0]["autoscaling_config"]
    assert (bounds["min_replicas"], bounds["max_replicas"]) == (1, 3)
    assert told["applications"][-1]["name"] == "hearts"
    assert told["http_options"]["port"] == 8123
    assert told["key"] == "Bearer ray-token of this home"


def test_replicas_are_waited_for_until_the_status_names_all_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = iter([[], [{"pid": 7}], [{"pid": 7}, {"pid": 8}]])
    app = FastAPI()
    app.get("/model-info")(lambda: {"domain": "faults"})
    app.get("/status")(
        lambda: {"domains": {"faults": {"replicas": next(looks), "states": {"RUNNING": 2}}}}
    )
    monkeypatch.setattr(own_service, "service_root", lambda pid: 3)
    with Server(app) as url:
        target = Target(url)
        assert target.replicas() == ([7, 8], 3)
    assert target.domain == "faults"


def test_a_number_of_replicas_that_does_not_come_is_said_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(tmp_path, tmp_path, 9, "faults")
    monkeypatch.setattr(own_service, "RESIZE_PATIENCE_S", 0.0)
    monkeypatch.setattr(service, "scale", lambda least, most: None)
    monkeypatch.setattr(service, "serve_replicas", lambda: [{"state": "RUNNING"}] * 3)
    with pytest.raises(NotReady, match="1 replicas did not run within 0 s: RUNNING, RUNNING"):
        service.resize(1)
    service.resize(3)


def test_the_autoscaler_is_held_at_one_number() -> None:
    text = yaml.safe_dump(bound(shipped(), 3, 3))
    assert text.count("min_replicas: 3") == text.count("max_replicas: 3") >= 1
