"""Training runs at a lower priority than serving, and than whoever works on this machine."""

import os
from contextlib import suppress
from pathlib import Path

NICE = 10  # replicas have 5


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
        Path("/proc/self/autogroup").write_text(str(NICE), encoding="ascii")
