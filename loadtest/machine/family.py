"""A server and everything it started: found, put to sleep, woken, ended.

The trick that makes a fair comparison of servers that run side by side: who is not being measured
is stopped (SIGSTOP) and uses nothing, however busy it is when idle. Parents sleep before their
children and wake after them, so that none sees a child that does not answer.
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from loadtest.machine.processes import (
    Process,
    environment_of,
    process,
    processes,
    tree,
)
from serve_app.cluster.processes import service_processes


def family(root: int) -> list[Process]:
    """`root`, its descendants and its session, parents before children; nobody for 0."""
    if not root:
        return []
    everybody = processes()
    session = [pid for pid, process in everybody.items() if process.session == root]
    found = tree([root, *session], everybody)
    return sorted(found.values(), key=lambda process: (_depth(process, found), process.pid))


def of_home(home: Path) -> list[int]:
    """Everybody who was started with this TELLTALE_HOME, orphans too. A measurement's own home
    is nobody else's, so that no other service's process is ever among them."""
    started = {pid for pid in processes() if environment_of(pid, "TELLTALE_HOME") == str(home)}
    return sorted(started | set(service_processes(home)))


def _depth(process: Process, within: Mapping[int, Process]) -> int:
    depth = 0
    while process.parent in within:
        process, depth = within[process.parent], depth + 1
    return depth


def freeze(root: int) -> None:
    """Returns when everybody sleeps; somebody may have been born meanwhile."""
    asleep: set[int] = set()
    while fresh := [process.pid for process in family(root) if process.pid not in asleep]:
        _signal(fresh, signal.SIGSTOP)
        asleep.update(fresh)


def thaw(root: int) -> None:
    members = [process.pid for process in family(root)]
    _signal(reversed(members), signal.SIGCONT)


def end(root: int, patience_s: float = 60, orphans_s: float = 3) -> None:
    """Asks `root` to stop and lets it; who is left a moment after it, or then, is killed."""
    members = {process.pid: process.born for process in family(root)}
    thaw(root)
    _signal([root], signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and (alive := _alive(members)):
        if root not in alive:
            deadline = min(deadline, time.monotonic() + orphans_s)
        time.sleep(0.1)
    _signal(_alive(members), signal.SIGKILL)
    while _alive(members):  # its port is free only then
        time.sleep(0.02)


def _alive(members: dict[int, int]) -> list[int]:
    found = {pid: process(pid) for pid in members}
    return [pid for pid, one in found.items() if one and one.born == members[pid]]


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
