"""A server and everything it started: found, put to sleep, woken, ended.

The trick that makes a fair comparison of servers that run side by side: who is not being measured
is stopped (SIGSTOP) and uses nothing, however busy it is when idle. Parents sleep before their
children and wake after them, so that none sees a child that does not answer.
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from loadtest.machine.processes import running, running_process, send, tree


def family(root: int) -> list[psutil.Process]:
    """`root`, its descendants and its session, parents before children."""
    session = [process.pid for process in running() if _session(process.pid) == root]
    return sorted(tree([root, *session]).values(), key=lambda one: (one.create_time(), one.pid))


def _session(pid: int) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def freeze(root: int) -> None:
    """Returns when everybody sleeps; somebody may have been born meanwhile."""
    asleep: set[int] = set()
    while fresh := [process.pid for process in family(root) if process.pid not in asleep]:
        send(fresh, signal.SIGSTOP)
        asleep.update(fresh)


def thaw(root: int) -> None:
    send([process.pid for process in reversed(family(root))], signal.SIGCONT)


def end(root: int, patience_s: float = 60, orphans_s: float = 3) -> None:
    """Asks `root` to stop and lets it; who is left a moment after it, or then, is killed."""
    members = family(root)
    thaw(root)
    send([root], signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and (alive := _alive(members)):
        if root not in alive:
            deadline = min(deadline, time.monotonic() + orphans_s)
        time.sleep(0.1)
    send(_alive(members), signal.SIGKILL)
    while _alive(members):  # its port is free only then
        time.sleep(0.02)


def _alive(members: Iterable[psutil.Process]) -> list[int]:
    return [one.pid for one in members if running_process(one.pid) == one]
