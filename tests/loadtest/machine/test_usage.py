"""CPU and memory are counted by process, and told apart by what a process is; a busy machine gives
no figures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

from loadtest.bench.servers import family
from loadtest.machine import usage
from loadtest.machine.processes import REPORTED, by_role, pss_mib, role
from loadtest.machine.usage import cpu_s, judged, meanwhile, use
from support.local_server import Server

BURN = """
import time
input()
while time.process_time() < 0.3: pass
print("done", flush=True)
input()
"""


def test_a_child_is_charged_with_what_it_used() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        before = use(family(child.pid))
        child.stdin.write(b"go\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"done\n"
        after = use(family(child.pid))
        found = cpu_s(before, after)
        assert found == {child.pid: pytest.approx(0.3, abs=0.1)}
        assert after.machine_s - before.machine_s > 0.2
        memory = pss_mib(found)
        assert 1 < memory[child.pid] < 100
        child.communicate(b"\n")


def test_a_process_born_meanwhile_is_charged_too() -> None:
    assert cpu_s(use([]), use(family(os.getpid())))[os.getpid()] > 0


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("ray::ServeReplica:faults:DomainService", "replica"),
        ("ray::ServeReplica:curator:Curator", "curator"),
        ("ray::ServeReplica:ui:Page", "page"),
        ("somewhere/bin/haproxy -f telltale-x/haproxy.cfg", "haproxy"),
        ("haproxy -f x.cfg", "haproxy"),
        ("ray::HAProxyManager", "haproxy-manager"),
        ("ray::ServeController", "controller"),
        ("python -m locust -f steps.py", "load client"),
        ("python .venv/bin/telltale scaling --synthetic", "load client"),
        ("/ray/raylet --node", "ray"),
        ("", "other"),
    ],
)
def test_what_a_process_is_follows_from_its_command_line(
    command: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.machine.processes.command", lambda pid: command)
    assert role(1, REPORTED) == part


def test_values_are_summed_by_role_and_the_rest_is_other() -> None:
    roles = {"tests": (Path(sys.executable).name,), "nobody": ("no such program",)}
    me = os.getpid()
    assert role(me, roles) == "tests"
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        found = by_role({me: 1.5, sleeper.pid: 2.0}, roles)
        sleeper.kill()
    assert found == {"tests": 1.5, "other": 2.0}


def test_replicas_are_waited_for_until_the_status_names_all_that_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks = iter([[], [{"pid": 7}], [{"pid": 7}, {"pid": 8}]])
    app = FastAPI()
    app.get("/model-info")(lambda: {"domain": "faults"})
    app.get("/status")(
        lambda: {"domains": {"faults": {"replicas": next(looks), "states": {"RUNNING": 2}}}}
    )
    monkeypatch.setattr(usage, "service_root", lambda pid: 3)
    with Server(app) as url:
        assert usage.replicas(url) == ("faults", [7, 8], 3)


@pytest.mark.parametrize(
    ("busy", "stolen", "load", "words"),
    [
        (0.02, 0.0, 0.3, ""),
        (0.9, 0.0, 0.3, "use 0.90 of a core"),
        (0.02, 0.5, 0.3, "takes 0.50 of a core"),
        (0.02, 0.0, 3.1, "load average is 3.10"),
    ],
)
def test_the_machine_is_judged_by_the_moment_and_the_minute(
    busy: float, stolen: float, load: float, words: str
) -> None:
    found = judged(busy, stolen, load, cores=2)
    assert words in found
    assert bool(found) == bool(words)


def test_others_at_work_while_measuring_mark_the_result() -> None:
    assert meanwhile(0.05) == ""
    assert "0.40 of a core" in meanwhile(0.4)
