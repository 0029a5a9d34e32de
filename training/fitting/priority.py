"""Training gives way: to serving, and to whoever works on this machine."""

import os

NICE = 10  # replicas have 5


def lower_priority() -> None:
    """Never further up than it was; calling it twice is calling it once."""
    os.nice(max(0, NICE - os.nice(0)))
