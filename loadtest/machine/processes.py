"""The processes of this machine, by psutil: what each is, who descends from whom, their memory."""

import os
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from serve_app.cluster.service_processes import service_processes

MIB = 1024**2
Roles = Mapping[str, tuple[str, ...]]  # name -> what a process's command line holds
OTHER = "other"

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
REPORTED: Roles = {name: PARTS[name] for name in (*SHOWN, "launcher", "load client")} | {
    "ray": ("",)
}


def running() -> list[psutil.Process]:
    """Every process that has not ended; who is not yet reaped has."""
    return [process for pid in psutil.pids() if (process := running_process(pid))]


def running_process(pid: int) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return process if _runs(process) else None
    return None


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def tree(roots: Iterable[int]) -> dict[int, psutil.Process]:
    """The roots and all that descend from them, where they still run."""
    found: dict[int, psutil.Process] = {}
    for root in filter(None, map(running_process, roots)):
        with suppress(psutil.Error):
            found |= {one.pid: one for one in [root, *root.children(recursive=True)]}
    return {pid: one for pid, one in found.items() if _runs(one)}


def command(pid: int) -> str:
    """The command line, or the name of a process that has none; empty where it has ended."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return " ".join(process.cmdline()).strip() or str(process.name())
    return ""


def role(pid: int, roles: Roles) -> str:
    """The first whose words are in the command line; OTHER where none is, or it has ended."""
    line = command(pid)
    fits = (name for name, words in roles.items() if any(word in line for word in words))
    return next(fits, OTHER) if line else OTHER


def by_role(values: Mapping[int, float], roles: Roles) -> dict[str, float]:
    """Sums by role, those that occur; OTHER holds the rest and who has ended."""
    found: dict[str, float] = {}
    for pid, value in values.items():
        name = role(pid, roles)
        found[name] = found.get(name, 0.0) + value
    return found


def environment_of(pid: int, name: str) -> str | None:
    """A variable that the process started with; None where it has none or may not be read."""
    with suppress(psutil.Error):
        value: str | None = psutil.Process(pid).environ().get(name)
        return value
    return None


def pss_mib(pids: Iterable[int]) -> dict[int, float]:
    """Memory by process: a page that n processes share counts as 1/n in each, and a sum is true."""
    found: dict[int, float] = {}
    for pid in pids:
        with suppress(psutil.Error):  # it has just ended
            found[pid] = psutil.Process(pid).memory_full_info().pss / MIB
    return found


def of_home(home: Path) -> list[int]:
    """Everybody who was started with this TELLTALE_HOME, orphans too. A measurement's own home
    is nobody else's, so that no other service's process is ever among them."""
    pids = [process.pid for process in running()]
    started = {pid for pid in pids if environment_of(pid, "TELLTALE_HOME") == str(home)}
    return sorted(started | set(service_processes(home)))


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # its parent's death was its own
            os.kill(pid, number)
