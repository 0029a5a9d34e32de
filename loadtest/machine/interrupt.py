"""How a measurement is stopped, so that what it started ends with it."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

import httpx

from data.errors import TelltaleError

STOPS = (signal.SIGINT, signal.SIGTERM)
STOPPED = 130  # the exit code of a command that Ctrl-C ended


def told(name: str, work: Callable[[], int]) -> int:
    """The exit code of `work`; what keeps it from an end is said in words, and gives one too."""
    try:
        return work()
    except (TelltaleError, ValueError, OSError, httpx.HTTPError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: stopped before the end; nothing is reported", file=sys.stderr)
        return STOPPED


def stop_on_signal() -> None:
    """From here on Ctrl-C and SIGTERM raise KeyboardInterrupt, once: a second one must not break
    off the stopping. By hand, since what a script starts in the background ignores SIGINT."""
    for number in STOPS:
        signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    for other in STOPS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt
