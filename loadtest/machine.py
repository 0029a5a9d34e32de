"""This machine: its processes, what each of them is and uses, and whether it is quiet enough for
figures that are published.

A thread's time is in nanoseconds (`schedstat`), which psutil does not read: in its ticks of 10 ms
a thread's part of a light load would be lost.
"""

import os
import platform
import signal
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1024**2
Processes = dict[int, psutil.Process]
Roles = Mapping[str, tuple[str, ...]]  # name -> what a process's command line holds

# What a process of Telltale is, by what stands in its command line; the first that fits.
PARTS: Roles = {
    "curator": ("ServeReplica:curator",),
    "page": ("ServeReplica:ui",),
    "replica": ("ServeReplica:",),
    "controller": ("ServeController",),
    "haproxy-manager": ("HAProxyManager",),
    "proxy": ("ProxyActor",),
    "haproxy": ("haproxy -",),
    "raylet": ("/raylet/raylet ",),
    "gcs": ("/gcs/gcs_server ",),
    "dashboard": ("/dashboard/dashboard.py",),
    "dashboard-agent": ("ray::DashboardAgent",),
    "runtime-env-agent": ("ray::RuntimeEnvAgent",),
    "train-worker": ("RayTrainWorker",),
    "trainer": ("training.retrain",),
    "launcher": ("-m serve_app",),
    "load client": ("locust", "loadtest.scaling", "telltale scaling"),
}
# The parts that reports tell apart; whatever else a service runs is Ray's.
SHOWN = ("curator", "page", "replica", "controller", "haproxy-manager", "proxy", "haproxy")
REPORTED = {name: PARTS[name] for name in (*SHOWN, "launcher", "load client")} | {"ray": ("",)}
STARTER: Roles = {"starter": ("raylet", "serve_app")}
MAX_LOAD = 0.75  # of the cores, over the last minute
MAX_BUSY = 0.1  # of a core, right now
MAX_ELSEWHERE = 0.15  # of a core, in the median while measuring
MAX_STOLEN = 0.02  # of the cores: a virtual machine's host is busy


def running(pids: Iterable[int]) -> Processes:
    """Those that have not ended; who is not yet reaped has."""
    found: Processes = {}
    for pid in pids:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                found[pid] = process
    return found


def tree(roots: Iterable[int]) -> Processes:
    """The roots and all that descend from them, where they still run."""
    found = running(roots)
    for root in [*found.values()]:
        with suppress(psutil.Error):
            found |= running(one.pid for one in root.children(recursive=True))
    return found


def service_root(replica_pid: int) -> int | None:
    """The process that started the service this replica belongs to; None on another machine."""
    if role(replica_pid, REPORTED) == "replica":
        with suppress(psutil.Error):
            above = [parent.pid for parent in reversed(psutil.Process(replica_pid).parents())]
            return next((pid for pid in above if role(pid, STARTER) == "starter"), None)
    return None


def command_line(pid: int) -> str:
    """Or the name of a process that has none; empty where it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return " ".join(process.cmdline()).strip() or str(process.name())
    return ""


def role(pid: int, roles: Roles) -> str:
    """The first whose words are in the command line, else "other"; empty where it has ended."""
    line = command_line(pid)
    fits = (name for name, words in roles.items() if any(word in line for word in words))
    return next(fits, "other") if line else ""


def by_role(values: Mapping[int, float], roles: Roles) -> dict[str, float]:
    """Sums by role, those that occur; who has just ended is left out."""
    found: dict[str, float] = defaultdict(float)
    for pid, value in values.items():
        found[role(pid, roles)] += value
    return {name: value for name, value in found.items() if name}


def pss_mib(pids: Iterable[int]) -> dict[int, float]:
    """Memory by process: a page that n processes share counts as 1/n in each, and a sum is true."""
    found: dict[int, float] = {}
    for pid in pids:
        with suppress(psutil.Error):  # it has just ended
            found[pid] = psutil.Process(pid).memory_full_info().pss / MIB
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # its parent's death was its own
            os.kill(pid, number)


@dataclass(frozen=True)
class Use:
    at: float
    threads_s: dict[tuple[psutil.Process, int], float]  # on a CPU, since each thread's start
    machine_s: float  # of CPU that everybody used since the machine started, what was stolen too
    own_s: float  # by this process and its ended children


def use(processes: Processes) -> Use:
    threads: dict[tuple[psutil.Process, int], float] = {}
    for process in processes.values():
        for schedstat in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            with suppress(OSError):  # it has just ended; the others still count
                nanoseconds = schedstat.read_text().split()[0]
                threads[process, int(schedstat.parent.name)] = int(nanoseconds) / 1e9
    all_ = psutil.cpu_times()
    machine_s = sum((all_.user, all_.nice, all_.system, all_.irq, all_.softirq, all_.steal))
    return Use(time.monotonic(), threads, machine_s, sum(os.times()[:4]))


def by_thread(before: Use, after: Use) -> dict[int, list[float]]:
    """Process -> seconds on a CPU of its threads between the two, the busiest first."""
    found: dict[int, list[float]] = defaultdict(list)
    for (process, thread), seconds in after.threads_s.items():
        found[process.pid].append(seconds - before.threads_s.get((process, thread), 0.0))
    return {pid: sorted(spent, reverse=True) for pid, spent in found.items()}


def cpu_s(before: Use, after: Use) -> dict[int, float]:
    """Seconds on a CPU by process between the two; those born meanwhile too."""
    return {pid: sum(spent) for pid, spent in by_thread(before, after).items()}


def strangers(before: Use, after: Use) -> float:
    """Cores used between the two by neither these processes nor us and the clients waited for."""
    ours = sum(cpu_s(before, after).values()) + after.own_s - before.own_s
    return max(0.0, (after.machine_s - before.machine_s - ours) / (after.at - before.at))


def described() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    at, cores = time.strftime("%Y-%m-%d %H:%M %Z"), f"{os.cpu_count()} cores"
    load = f"load average {os.getloadavg()[0]:.2f}"
    system = f"{platform.platform()}, Python {platform.python_version()}"
    return f"{at}; {next(named, platform.machine())}, {cores}, {load}; {system}"


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
    words = f"while measuring, other programs used {elsewhere:.2f} of a core"
    return words if elsewhere > MAX_ELSEWHERE else ""
