"""A server's whole family of processes is found, put to sleep, woken and ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from loadtest import own_service
from loadtest.bench.servers import Running
from loadtest.machine import running
from serve_app.cluster.service_processes import MARK

# A parent and a child that has left its session, as some servers' workers do.
PROGRAM = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"],
                         start_new_session=True)
input()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    one = Running("noop", 9, tmp_path)
    one.process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {MARK: str(one.home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert one.process.stdout is not None
    assert one.process.stdout.readline() == b"up\n"
    with one.process:
        yield one
        for pid in one.members():
            os.kill(pid, signal.SIGKILL)


def states(pids: Iterable[int]) -> list[str]:
    return [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in pids]


def test_parents_stand_before_their_children(server: Running) -> None:
    first, second = server.parents_first()
    assert first == server.process.pid
    assert server.members()[second].ppid() == first
    assert os.getsid(second) != os.getsid(first)


def test_who_sleeps_does_not_run_until_woken(server: Running) -> None:
    server.freeze()
    assert states(server.members()) == ["T", "T"]
    server.thaw()
    assert "T" not in states(server.members())


def test_a_sleeping_family_ends_whole(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_service, "STOP_S", 0.3)
    pids = {*server.members()}
    server.freeze()
    server.end()
    assert len(pids) == 2
    assert not running(pids)
