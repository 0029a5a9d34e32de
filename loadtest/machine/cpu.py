"""Who spends it: CPU by process, and what of the machine was left, from /proc.

CPU is counted in ticks of the scheduler (10 ms as a rule), so take differences over seconds.
"""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loadtest.machine.processes import PROC, Process, Roles, role

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Machine:
    """All cores since the machine started, in seconds."""

    at: float
    busy_s: float
    stolen_s: float  # a virtual machine's: wanted, but given to somebody else


def machine() -> Machine:
    line = (PROC / "stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, _, _, irq, softirq, steal = (int(n) for n in line.split()[1:9])
    return Machine(
        time.monotonic(), (user + nice + system + irq + softirq) * TICK_S, steal * TICK_S
    )


def spent(before: Iterable[Process], after: Iterable[Process]) -> dict[int, float]:
    """Seconds of CPU between two looks, by process; those born meanwhile too."""
    was = {(process.pid, process.born): process.ticks for process in before}
    return {
        process.pid: (process.ticks - was.get((process.pid, process.born), 0)) * TICK_S
        for process in after
    }


def by_role(values: Mapping[int, float], roles: Roles) -> dict[str, float]:
    """Sums by role, those that occur; OTHER holds the rest and who has ended."""
    found: dict[str, float] = {}
    for pid, value in values.items():
        name = role(pid, roles)
        found[name] = found.get(name, 0.0) + value
    return found
