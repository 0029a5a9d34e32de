"""How a measurement is stopped, so that what it started ends with it."""

import signal
from types import FrameType
from typing import NoReturn

STOPS = (signal.SIGINT, signal.SIGTERM)
STOPPED = 130  # the exit code of a command that Ctrl-C ended


def stop_on_signal() -> None:
    """From here on Ctrl-C and SIGTERM raise KeyboardInterrupt, once: a second one must not break
    off the stopping. By hand, since what a script starts in the background ignores SIGINT."""
    for number in STOPS:
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    for other in STOPS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt
