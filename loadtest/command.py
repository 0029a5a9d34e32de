"""What every command does alike: reads its arguments, stops with all it started, ends with a code.

Mistakes in the arguments are refused before anything is started.
"""

import argparse
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from httpx import HTTPError

from data import terminal
from data.errors import TelltaleError
from serve_app.client.connection import ServiceError

Arguments = argparse.Namespace
Words = Sequence[str] | None  # those of the command line, where None is given
STOPS = (signal.SIGINT, signal.SIGTERM)


def new_parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    return terminal.new_parser(f"telltale {name}", doc)


def exit_code(work: Callable[..., int | None], *given: Any) -> int:
    """Of `work(*given)`; what keeps it from an end is printed in words, and gives one too."""
    refusals = TelltaleError, ServiceError, ValueError, OSError, RuntimeError, HTTPError
    return terminal.command(*refusals)(work)(*given)


def stop_on_signal() -> None:
    """From here on Ctrl-C and SIGTERM raise KeyboardInterrupt, once: a second one must not break
    off the stopping. By hand, since what a script starts in the background ignores SIGINT."""

    def stop(*_: object) -> NoReturn:
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in STOPS:
        signal.signal(number, stop)


def contents(text: str) -> bytes:
    """Of a file."""
    try:
        return Path(text).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be read: {error.strerror}") from None


def positive(text: str) -> float:
    if not 0 < (value := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def counted(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, got {text}")
    return int(text)


def numbers(text: str) -> tuple[int, ...]:
    return tuple(counted(number) for number in text.split(","))
