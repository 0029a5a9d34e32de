"""Who spends it: CPU and memory by process, and what of the machine was left, from /proc.

CPU is counted in ticks of the scheduler (10 ms as a rule), so take differences over seconds.
Memory is PSS: a page that n processes share counts as 1/n in each, and a sum is true.
"""

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.family import Process

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
Roles = Mapping[str, tuple[str, ...]]  # name -> what a process's command line holds


@dataclass(frozen=True)
class Machine:
    """All cores since the machine started, in seconds."""

    at: float
    busy_s: float
    stolen_s: float  # a virtual machine's: wanted, but given to somebody else


def machine() -> Machine:
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, _, _, irq, softirq, steal = (int(n) for n in line.split()[1:9])
    return Machine(
        time.monotonic(), (user + nice + system + irq + softirq) * TICK_S, steal * TICK_S
    )


def spent(before: Iterable[Process], after: Iterable[Process]) -> dict[int, float]:
    """Seconds of CPU between two looks at a family, by process; those born meanwhile too."""
    was = {(process.pid, process.born): process.ticks for process in before}
    return {
        process.pid: (process.ticks - was.get((process.pid, process.born), 0)) * TICK_S
        for process in after
    }


def by_role(values: Mapping[int, float], roles: Roles) -> dict[str, float]:
    """Sums by the first role whose words are in the command line; `other` for the rest."""
    found = dict.fromkeys(roles, 0.0)
    for pid, value in values.items():
        name = role(pid, roles)
        found[name] = found.get(name, 0.0) + value
    return found


def role(pid: int, roles: Roles) -> str:
    with suppress(OSError):
        line = (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
        )
        for name, words in roles.items():
            if any(word in line for word in words):
                return name
    return "other"


def pss_mib(pids: Iterable[int]) -> dict[int, float]:
    found: dict[int, float] = {}
    for pid in pids:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            found[pid] = int(line.split()[1]) / 1024
    return found
