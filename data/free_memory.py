"""Memory that was freed, given back to the system: glibc keeps it for what comes next."""

import ctypes


def give_back_memory() -> None:
    """Of the whole process; takes some milliseconds, in which other threads may wait."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)
