"""A server's whole family of processes is found, put to sleep, woken and ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench.servers import end, family, freeze, thaw
from loadtest.machine.processes import running

# A parent and a child that has left its session, as some servers' workers do.
PROGRAM = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"],
                         start_new_session=True)
input()
"""


@pytest.fixture
def server() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    with process:
        yield process
        for member in family(process.pid):
            os.kill(member.pid, signal.SIGKILL)


def states(pids: list[int]) -> list[str]:
    return [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids]


def members(server: "subprocess.Popen[bytes]") -> list[int]:
    return [process.pid for process in family(server.pid)]


def test_parents_stand_before_their_children(server: "subprocess.Popen[bytes]") -> None:
    first, second = family(server.pid)
    assert first.pid == server.pid
    assert second.ppid() == server.pid
    assert os.getsid(second.pid) != os.getsid(first.pid)


def test_who_sleeps_does_not_run_until_woken(server: "subprocess.Popen[bytes]") -> None:
    freeze(server.pid)
    assert states(members(server)) == ["T", "T"]
    thaw(server.pid)
    assert "T" not in states(members(server))


def test_a_sleeping_family_ends_whole(server: "subprocess.Popen[bytes]") -> None:
    pids = members(server)
    freeze(server.pid)
    end(server.pid, patience_s=0.3)
    server.wait()
    deadline = time.monotonic() + 20  # a busy machine takes its time to end what was killed
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pids)


def alive(pids: list[int]) -> set[int]:
    return set(pids) & {process.pid for process in running()}
