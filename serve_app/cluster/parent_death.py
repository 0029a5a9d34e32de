"""Ends a process with the one that started it.

Each start of HAProxy imports this: nothing that takes time to import.
"""

import ctypes
import os

PR_SET_PDEATHSIG, SIGKILL = 1, 9  # Linux prctl(2), signal(7)


def die_with(parent: int) -> None:
    """Ends this process as soon as `parent`, which started it, has ended; however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != parent:  # it had ended before we asked
        os.kill(os.getpid(), SIGKILL)
