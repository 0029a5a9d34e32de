"""What the processes of a service on this machine use: CPU by role and thread, memory.

A thread's time is in nanoseconds (`schedstat`), which psutil does not read: in its ticks of 10 ms
a thread's part of a light load would be lost.
"""

import os
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from loadtest.machine.processes import OTHER, by_role, grouped, machine, pss_mib, role, tree

PATIENCE_S = 15.0
ROLES = grouped(
    "ray",
    curator=("curator",),
    ui=("page",),
    replica=("replica",),
    haproxy=("haproxy",),
    controller=("controller", "haproxy-manager", "proxy"),
)


@dataclass(frozen=True)
class Use:
    """At one moment; `threads_s` holds, by process and thread, seconds on a CPU since its start."""

    at: float
    roles: dict[int, str]
    threads_s: dict[tuple[int, int], float]
    machine_s: float  # of CPU that everybody used since the machine started, what was stolen too
    own_s: float  # by this process and its ended children


def service_root(replica_pid: int) -> int | None:
    """The process that started the service this replica belongs to; None on another machine."""
    if role(replica_pid, ROLES) != "replica":
        return None
    with suppress(psutil.Error):
        above = [parent.pid for parent in reversed(psutil.Process(replica_pid).parents())]
        starters = {"starter": ("raylet", "serve_app")}
        return next((pid for pid in above if role(pid, starters) == "starter"), None)
    return None


def replicas(url: str) -> tuple[str, list[int]]:
    """The first domain, its replicas' process ids; raises ValueError where they run elsewhere, or
    the status does not come to name all that run. It is told of them once a second."""
    deadline = time.monotonic() + PATIENCE_S
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        domain: str = client.get("/model-info").raise_for_status().json()["domain"]
        while True:
            about = client.get("/status").raise_for_status().json()["domains"][domain]
            found = [int(row["pid"]) for row in about["replicas"]]
            if found and len(found) == about["states"].get("RUNNING", len(found)):
                break
            if time.monotonic() > deadline:
                raise ValueError(f"{url} names {len(found)} replicas, but {about['states']} are up")
            time.sleep(0.2)
    for pid in found:
        if role(pid, ROLES) != "replica":
            raise ValueError(
                f"the replicas of {url} do not run on this machine; measure where they run, "
                "or bring their times with --times FILE"
            )
    return domain, found


def use(root: int) -> Use:
    roles: dict[int, str] = {}
    threads: dict[tuple[int, int], float] = {}
    for pid in tree([root]):
        roles[pid] = role(pid, ROLES)
        for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # it has just ended; the others still count
                nanoseconds = schedstat.read_text().split()[0]
                threads[pid, int(schedstat.parent.name)] = int(nanoseconds) / 1e9
    everybody = machine()
    machine_s = everybody.busy_s + everybody.stolen_s
    return Use(everybody.at, roles, threads, machine_s, sum(os.times()[:4]))


def _threads_s(before: Use, after: Use) -> dict[tuple[int, int], float]:
    """Seconds on a CPU between the two; a thread that began in between counts from its start."""
    return {key: s - before.threads_s.get(key, 0.0) for key, s in after.threads_s.items()}


def cpu_by_role(before: Use, after: Use) -> dict[str, float]:
    """Seconds on a CPU between the two."""
    found: dict[str, float] = defaultdict(float)
    for (pid, _), seconds in _threads_s(before, after).items():
        found[after.roles[pid]] += seconds
    return dict(found)


def cores_by_role(before: Use, after: Use) -> dict[str, float]:
    passed = after.at - before.at
    return {name: seconds / passed for name, seconds in cpu_by_role(before, after).items()}


def strangers(before: Use, after: Use) -> float:
    """Cores used between the two by neither the service nor us and the clients we waited for."""
    ours = sum(cpu_by_role(before, after).values()) + after.own_s - before.own_s
    return max(0.0, (after.machine_s - before.machine_s - ours) / (after.at - before.at))


def by_thread(before: Use, after: Use, pid: int) -> list[float]:
    """Seconds on a CPU of one process's threads between the two, the busiest first."""
    found = [seconds for (of, _), seconds in _threads_s(before, after).items() if of == pid]
    return sorted(found, reverse=True)


def memory_mb(root: int) -> dict[str, float]:
    """PSS by role; processes of one role together."""
    found = by_role(pss_mib(tree([root])), ROLES)
    found.pop(OTHER, None)
    return found
