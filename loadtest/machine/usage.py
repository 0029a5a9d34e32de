"""What the processes of a service on this machine use: CPU by role and thread, memory.

From /proc: nanoseconds on a CPU (`schedstat`) and PSS, which counts a shared page once over all
the processes that share it.
"""

import os
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

import httpx

from loadtest.machine import cpu
from loadtest.machine.cpu import machine
from loadtest.machine.processes import OTHER, PROC, Roles, process, pss_mib, role, tree

# What a process of Telltale is, by what stands in its command line; the first that fits.
PATIENCE_S = 15.0
ROLES: Roles = {
    "curator": ("ServeReplica:curator",),
    "ui": ("ServeReplica:ui",),
    "replica": ("ServeReplica:",),
    "haproxy": ("haproxy -", "/haproxy"),
    "controller": ("ServeController", "Proxy"),
    "ray": ("",),
}


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
    pid, found = replica_pid, None
    if role(replica_pid, {"replica": ("ServeReplica",)}) != "replica":
        return None
    while pid > 1 and (one := process(pid)):
        if role(pid, {"starter": ("raylet", "serve_app")}) == "starter":
            found = pid
        pid = one.parent
    return found


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
        with suppress(OSError):  # it has just ended
            for thread in map(int, os.listdir(PROC / str(pid) / "task")):
                with suppress(OSError):  # it alone has; the others still count
                    text = (PROC / str(pid) / "task" / str(thread) / "schedstat").read_text()
                    threads[pid, thread] = int(text.split()[0]) / 1e9
    everybody = machine()
    machine_s = everybody.busy_s + everybody.stolen_s
    return Use(everybody.at, roles, threads, machine_s, sum(os.times()[:4]))


def by_role(before: Use, after: Use) -> dict[str, float]:
    """Seconds on a CPU between the two; a process that began in between counts from its start."""
    found: dict[str, float] = defaultdict(float)
    for (pid, thread), seconds in after.threads_s.items():
        found[after.roles[pid]] += seconds - before.threads_s.get((pid, thread), 0.0)
    return dict(found)


def cores_by_role(before: Use, after: Use) -> dict[str, float]:
    passed = after.at - before.at
    return {name: seconds / passed for name, seconds in by_role(before, after).items()}


def strangers(before: Use, after: Use) -> float:
    """Cores used between the two by neither the service nor us and the clients we waited for."""
    ours = sum(by_role(before, after).values()) + after.own_s - before.own_s
    return max(0.0, (after.machine_s - before.machine_s - ours) / (after.at - before.at))


def by_thread(before: Use, after: Use, pid: int) -> list[float]:
    """Seconds on a CPU of one process's threads between the two, the busiest first."""
    return sorted(
        (
            seconds - before.threads_s.get((of, thread), 0.0)
            for (of, thread), seconds in after.threads_s.items()
            if of == pid
        ),
        reverse=True,
    )


def memory_mb(root: int) -> dict[str, float]:
    """PSS by role; processes of one role together."""
    found = cpu.by_role(pss_mib(tree([root])), ROLES)
    found.pop(OTHER, None)
    return found
