"""Whether the machine is quiet enough for figures that are published."""

import os
import time

from loadtest.machine.processes import machine

MAX_LOAD = 0.75  # of the cores, over the last minute
MAX_BUSY = 0.1  # of a core, right now
MAX_ELSEWHERE = 0.15  # of a core, in the median while measuring
MAX_STOLEN = 0.02  # of the cores: a virtual machine's host is busy


def disturbance(window_s: float = 3.0) -> str:
    """What speaks against measuring now, with the figure; empty if nothing does."""
    cores = os.cpu_count() or 1
    before = machine()
    time.sleep(window_s)
    after = machine()
    busy = (after.busy_s - before.busy_s) / (after.at - before.at)
    stolen = (after.stolen_s - before.stolen_s) / (after.at - before.at)
    return judged(busy, stolen, os.getloadavg()[0], cores)


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
