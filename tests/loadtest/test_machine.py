"""CPU and memory are counted by process, and told apart by what a process is; a busy machine gives
no figures."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtest.machine import (
    REPORTED,
    by_role,
    by_thread,
    cpu_s,
    judged,
    meanwhile,
    pss_mib,
    role,
    service_root,
    tree,
    use,
)

BURN = """
import time
input()
while time.process_time() < 0.3: pass
print("done", flush=True)
input()
"""


def test_a_child_is_charged_with_what_it_used() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BURN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        before = use(tree([child.pid]))
        child.stdin.write(b"go\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"done\n"
        after = use(tree([child.pid]))
        found = cpu_s(before, after)
        assert found == {child.pid: pytest.approx(0.3, abs=0.1)}
        assert after.machine_s - before.machine_s > 0.2
        memory = pss_mib(found)
        assert 1 < memory[child.pid] < 100
        assert service_root(child.pid) is None
        child.communicate(b"\n")


def test_a_childs_cpu_is_counted_by_thread() -> None:
    spin = "end = time.thread_time() + 0.2\nwhile time.thread_time() < end: pass\n"
    program = f"import time\ninput()\n{spin}input()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    try:
        before = use(tree([os.getpid()]))
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            after = use(tree([os.getpid()]))
            if by_thread(before, after)[child.pid][:1] > [0.19]:
                break
            time.sleep(0.05)
        assert by_thread(before, after)[child.pid][0] >= 0.19
        assert tree([os.getpid()])[child.pid].ppid() == os.getpid()
        assert sum(pss_mib([child.pid]).values()) > 1
    finally:
        child.communicate(b"\n")


def test_a_process_born_meanwhile_is_charged_too() -> None:
    assert cpu_s(use({}), use(tree([os.getpid()])))[os.getpid()] > 0


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
        ("", ""),
    ],
)
def test_what_a_process_is_follows_from_its_command_line(
    command: str, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.machine.command_line", lambda pid: command)
    assert role(1, REPORTED) == part


def test_values_are_summed_by_role_and_the_rest_is_other() -> None:
    roles = {"tests": (Path(sys.executable).name,), "nobody": ("no such program",)}
    me = os.getpid()
    assert role(me, roles) == "tests"
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        found = by_role({me: 1.5, sleeper.pid: 2.0}, roles)
        sleeper.kill()
    assert found == {"tests": 1.5, "other": 2.0}


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
