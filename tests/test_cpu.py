"""CPU and memory are counted by process, and told apart by what a process is."""

import os
import subprocess
import sys

import pytest

from loadtest.bench.family import Process, family, processes
from loadtest.machine.cpu import by_role, machine, pss_mib, role, spent

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
        before, then = family(child.pid), machine()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"done\n"
        used, now = spent(before, family(child.pid)), machine()
        assert used == {child.pid: pytest.approx(0.3, abs=0.1)}
        assert now.busy_s - then.busy_s > 0.2
        memory = pss_mib(used)
        assert 1 < memory[child.pid] < 100
        child.communicate(b"\n")


def this() -> Process:
    return processes()[os.getpid()]


def test_a_process_born_meanwhile_is_charged_too() -> None:
    assert spent([], [this()])[os.getpid()] > 0


def test_values_are_summed_by_role_and_the_rest_is_other() -> None:
    roles = {"tests": ("pytest",), "nobody": ("no such program",)}
    me = os.getpid()
    assert role(me, roles) == "tests"
    with subprocess.Popen(["sleep", "30"]) as sleeper:
        found = by_role({me: 1.5, sleeper.pid: 2.0}, roles)
        sleeper.kill()
    assert found == {"tests": 1.5, "nobody": 0.0, "other": 2.0}
