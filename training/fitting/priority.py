"""Training runs at a lower priority than serving, and than whoever works on this machine."""

import os
import sys
from contextlib import suppress
from pathlib import Path

NICE = 10  # replicas have 5
AUTOGROUP = "/proc/self/autogroup"


def lower_priority() -> None:
    """Never further up than it was; calling it twice is calling it once."""
    os.nice(max(0, NICE - os.nice(0)))


def lower_session_priority() -> None:
    """For a job, whose session is its own or its shell's: Linux weighs sessions against each other
    before it looks at anybody's nice value (autogroup, sched(7)), and a job would have as much as
    the service. Another's session is left alone."""
    lower_priority()
    if os.getsid(0) not in (os.getpid(), os.getppid()):
        return
    with suppress(OSError):  # a kernel without sessions' weights
        Path(AUTOGROUP).write_text(str(NICE), encoding="ascii")


def at_low_priority(program: str) -> str:
    """The beginning of a shell's command that runs it so from its first instruction on. On Linux in
    a session of its own: in that of the service, half a dozen of them made whoever else is on the
    machine wait for seconds. A weight may be refused, and is asked for again: Linux lets users
    change ten of them a second."""
    low = f"nice -n {NICE} {program}"
    if sys.platform != "linux":
        return low
    weigh = f"for again in 1 2 3; do echo {NICE} > {AUTOGROUP} && break; sleep 0.2; done"
    return f"""setsid sh -c 'test -w {AUTOGROUP} && {weigh} 2>/dev/null; exec {low} "$@"' sh"""
