"""What the processes of a service on this machine use: CPU by role and thread, memory.

From /proc: nanoseconds on a CPU (`schedstat`) and PSS, which counts a shared page once over all
the processes that share it.
"""

import os
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import httpx

PROC = Path("/proc")
ROLES = (  # the first pattern found in a command line or a process's name gives its role
    ("replica", r"ServeReplica:(?!curator|ui)"),
    ("curator", r"ServeReplica:curator"),
    ("ui", r"ServeReplica:ui"),
    ("haproxy", r"^haproxy|/haproxy|telltale-.*haproxy\.cfg"),
    ("controller", r"ServeController|Proxy"),
    ("ray", r"."),
)


@dataclass(frozen=True)
class Use:
    """At one moment; `threads_s` holds, by process and thread, seconds on a CPU since its start."""

    at: float
    roles: dict[int, str]
    threads_s: dict[tuple[int, int], float]
    machine_s: float  # seconds of CPU used by everybody since the machine started
    own_s: float  # by this process and its ended children


def tree(root: int) -> list[int]:
    """The process and all that descend from it, where it still runs."""
    children: dict[int, list[int]] = defaultdict(list)
    for path in PROC.glob("[0-9]*/stat"):
        try:
            children[parent_of(int(path.parent.name))].append(int(path.parent.name))
        except (OSError, ValueError, IndexError):
            continue  # ended while we looked
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children[found[-1]]
    return found


def parent_of(pid: int) -> int:
    """The name in field two may hold spaces and brackets, so the fields count from its end."""
    return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def role_of(pid: int) -> str:
    """Raises OSError where the process has ended."""
    command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    command = command or (PROC / str(pid) / "comm").read_text().strip()
    return next(role for role, pattern in ROLES if re.search(pattern, command or "?"))


def replicas(url: str) -> tuple[str, list[int]]:
    """The first domain, its replicas' process ids; raises ValueError where they run elsewhere."""
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        domain: str = client.get("/model-info").raise_for_status().json()["domain"]
        rows = client.get("/status").raise_for_status().json()["domains"][domain]["replicas"]
    found = [int(row["pid"]) for row in rows]
    for pid in found:
        if not (PROC / str(pid)).exists() or role_of(pid) != "replica":
            raise ValueError(
                f"the replicas of {url} do not run on this machine; measure where they run, "
                "or bring their times with --times FILE"
            )
    return domain, found


def cores() -> int:
    return os.cpu_count() or 1


def use(root: int) -> Use:
    roles: dict[int, str] = {}
    threads: dict[tuple[int, int], float] = {}
    for pid in tree(root):
        try:
            roles[pid] = role_of(pid)
            for path in (PROC / str(pid) / "task").glob("*/schedstat"):
                threads[pid, int(path.parent.name)] = int(path.read_text().split()[0]) / 1e9
        except OSError:
            continue
    spent = _cpu_times()
    machine_s = (sum(spent) - spent[3] - spent[4]) / os.sysconf("SC_CLK_TCK")
    return Use(time.perf_counter(), roles, threads, machine_s, sum(os.times()[:4]))


def by_role(before: Use, after: Use) -> dict[str, float]:
    """Seconds on a CPU between the two; a process that began in between counts from its start."""
    found: dict[str, float] = defaultdict(float)
    for (pid, thread), seconds in after.threads_s.items():
        found[after.roles[pid]] += seconds - before.threads_s.get((pid, thread), 0.0)
    return dict(found)


def cores_by_role(before: Use, after: Use) -> dict[str, float]:
    passed = after.at - before.at
    return {role: seconds / passed for role, seconds in by_role(before, after).items()}


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
    found: dict[str, float] = defaultdict(float)
    for pid in tree(root):
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
            found[role_of(pid)] += int(re.findall(r"Pss:\s+(\d+) kB", text)[0]) / 1024
        except (OSError, IndexError):
            continue
    return dict(found)


def _cpu_times() -> list[int]:
    return [int(field) for field in (PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
