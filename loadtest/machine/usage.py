"""What processes on this machine use: CPU by role and thread, memory; and whether it is quiet
enough for figures that are published.

A thread's time is in nanoseconds (`schedstat`), which psutil does not read: in its ticks of 10 ms
a thread's part of a light load would be lost.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from loadtest.machine.processes import OTHER, REPORTED, by_role, pss_mib, role, tree

PATIENCE_S = 15.0
MAX_LOAD = 0.75  # of the cores, over the last minute
MAX_BUSY = 0.1  # of a core, right now
MAX_ELSEWHERE = 0.15  # of a core, in the median while measuring
MAX_STOLEN = 0.02  # of the cores: a virtual machine's host is busy


@dataclass(frozen=True)
class Use:
    """At one moment; `threads_s` holds, by process and thread, seconds on a CPU since its start."""

    at: float
    threads_s: dict[tuple[psutil.Process, int], float]
    machine_s: float  # of CPU that everybody used since the machine started, what was stolen too
    own_s: float  # by this process and its ended children


def use(processes: Iterable[psutil.Process]) -> Use:
    threads: dict[tuple[psutil.Process, int], float] = {}
    for process in processes:
        for schedstat in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # it has just ended; the others still count
                nanoseconds = schedstat.read_text().split()[0]
                threads[process, int(schedstat.parent.name)] = int(nanoseconds) / 1e9
    all_ = psutil.cpu_times()
    machine_s = sum((all_.user, all_.nice, all_.system, all_.irq, all_.softirq, all_.steal))
    return Use(time.monotonic(), threads, machine_s, sum(os.times()[:4]))


def by_thread(before: Use, after: Use) -> dict[int, list[float]]:
    """Process -> seconds on a CPU of its threads between the two, the busiest first; a thread that
    began in between counts from its start."""
    found: dict[int, list[float]] = {}
    for (process, thread), seconds in after.threads_s.items():
        spent = seconds - before.threads_s.get((process, thread), 0.0)
        found.setdefault(process.pid, []).append(spent)
    return {pid: sorted(spent, reverse=True) for pid, spent in found.items()}


def cpu_s(before: Use, after: Use) -> dict[int, float]:
    """Seconds on a CPU by process between the two; those born meanwhile too."""
    return {pid: sum(spent) for pid, spent in by_thread(before, after).items()}


def strangers(before: Use, after: Use) -> float:
    """Cores used between the two by neither these processes nor us and the clients waited for."""
    ours = sum(cpu_s(before, after).values()) + after.own_s - before.own_s
    return max(0.0, (after.machine_s - before.machine_s - ours) / (after.at - before.at))


def memory_mb(pids: Iterable[int]) -> dict[str, float]:
    """PSS by role; processes of one role together."""
    found = by_role(pss_mib(pids), REPORTED)
    found.pop(OTHER, None)
    return found


def service_root(replica_pid: int) -> int | None:
    """The process that started the service this replica belongs to; None on another machine."""
    if role(replica_pid, REPORTED) != "replica":
        return None
    with suppress(psutil.Error):
        above = [parent.pid for parent in reversed(psutil.Process(replica_pid).parents())]
        starters = {"starter": ("raylet", "serve_app")}
        return next((pid for pid in above if role(pid, starters) == "starter"), None)
    return None


def members(root: int) -> list[psutil.Process]:
    """Of the service that `root` started."""
    return [*tree([root]).values()]


def replicas(url: str) -> tuple[str, list[int], int]:
    """The first domain, its replicas' process ids, and the process that everything descends from.
    Raises ValueError where they run elsewhere, or the status does not come to name all that run:
    it is told of them once a second."""
    deadline = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        domain: str = client.get("/model-info").raise_for_status().json()["domain"]
        while True:
            about = client.get("/status").raise_for_status().json()["domains"][domain]
            found = [int(row["pid"]) for row in about["replicas"]]
            states = about.get("states", {})
            if found and len(found) == states.get("RUNNING", len(found)):
                break
            if time.monotonic() > deadline:
                raise ValueError(f"{url} names {len(found)} replicas, but {states} are up")
            time.sleep(0.2)
    roots = [service_root(pid) for pid in found]
    if None in roots:
        raise ValueError(
            f"the replicas of {url} do not run on this machine; measure where they run, "
            "or bring their times with --times FILE"
        )
    return domain, found, roots[0] or 0


def disturbance(window_s: float = 3.0) -> str:
    """What speaks against measuring now, with the figure; empty if nothing does."""
    cores = os.cpu_count() or 1
    share = psutil.cpu_times_percent(window_s)
    busy = sum((share.user, share.nice, share.system, share.irq, share.softirq)) * cores / 100
    return judged(busy, share.steal * cores / 100, os.getloadavg()[0], cores)


def judged(busy: float, stolen: float, load: float, cores: int) -> str:
    if busy > MAX_BUSY:
        return f"other programs use {busy:.2f} of a core; {MAX_BUSY} is quiet"
    if stolen > MAX_STOLEN * cores:
        return f"the host takes {stolen:.2f} of a core away; {MAX_STOLEN * cores:.2f} is quiet"
    if load > MAX_LOAD * cores:
        return f"the load average is {load:.2f}; {MAX_LOAD * cores:.2f} is quiet, so wait a minute"
    return ""


def meanwhile(elsewhere: float) -> str:
    """The same of what others used while measuring, in cores."""
    if elsewhere > MAX_ELSEWHERE:
        return f"while measuring, other programs used {elsewhere:.2f} of a core"
    return ""
