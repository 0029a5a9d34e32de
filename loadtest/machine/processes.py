"""The processes of this machine, as /proc shows them: who descends from whom, and what each is."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
Roles = Mapping[str, tuple[str, ...]]  # name -> what a process's command line holds
OTHER = "other"


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    session: int
    ticks: int  # of CPU used so far, in user and in kernel mode
    born: int  # ticks after the machine; with the pid, a name nobody else ever has


def processes() -> dict[int, Process]:
    """Every process of the machine that has not ended; who is not yet reaped has."""
    found = (process(int(entry)) for entry in os.listdir(PROC) if entry.isdigit())
    return {one.pid: one for one in found if one}


def process(pid: int) -> Process | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name stands in brackets and may hold anything; fields are counted from behind it.
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    ticks = int(fields[11]) + int(fields[12])
    return Process(pid, int(fields[1]), int(fields[3]), ticks, int(fields[19]))


def tree(roots: Iterable[int], among: Mapping[int, Process] | None = None) -> dict[int, Process]:
    """The roots and all that descend from them, where they still run; `among` is a look at all
    processes that was taken before."""
    everybody = processes() if among is None else among
    children: dict[int, list[int]] = {}
    for one in everybody.values():
        children.setdefault(one.parent, []).append(one.pid)
    waiting = [pid for pid in roots if pid in everybody]
    found: dict[int, Process] = {}
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found[pid] = everybody[pid]
            waiting += children.get(pid, [])
    return found


def command(pid: int) -> str:
    """The command line, or the name of a process that has none; empty where it has ended."""
    with suppress(OSError):
        words = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")
        words = words.strip() or (PROC / str(pid) / "comm").read_bytes().strip()
        return words.decode("utf-8", "replace")
    return ""


def role(pid: int, roles: Roles) -> str:
    """The first whose words are in the command line; OTHER where none is, or it has ended."""
    line = command(pid)
    fits = (name for name, words in roles.items() if any(word in line for word in words))
    return next(fits, OTHER) if line else OTHER


def environment_of(pid: int, name: str) -> str | None:
    """A variable that the process started with; None where it has none or may not be read."""
    try:
        pairs = (PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    return next((pair.partition("=")[2] for pair in pairs if pair.startswith(f"{name}=")), None)


def pss_mib(pids: Iterable[int]) -> dict[int, float]:
    """Memory by process: a page that n processes share counts as 1/n in each, and a sum is true."""
    found: dict[int, float] = {}
    for pid in pids:
        with suppress(OSError, StopIteration):  # a kernel thread has no such line
            text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            found[pid] = int(line.split()[1]) / 1024
    return found
