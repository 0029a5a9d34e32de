"""What every command does alike: its arguments, its exit code, and that what it prints reaches
whoever reads it: names of any bytes, and a reader who leaves.
"""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

Parameters = ParamSpec("Parameters")
STOPPED = 128 + signal.SIGINT


def new_parser(program: str, doc: str | None) -> argparse.ArgumentParser:
    """`doc` is the module's, which says how to run it."""
    return argparse.ArgumentParser(
        program, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def command(
    *refusals: type[Exception],
) -> Callable[[Callable[Parameters, int | None]], Callable[Parameters, int]]:
    """Makes a function give an exit code: its own, 0 without one, and 1 after one of `refusals`,
    which is printed in words. A name that is not UTF-8 is printed escaped; a reader who has read
    enough (`| head`) ends it with 1 and no traceback, Ctrl-C with what a shell expects of it."""

    def wrap(work: Callable[Parameters, int | None]) -> Callable[Parameters, int]:
        @wraps(work)
        def run(*arguments: Parameters.args, **named: Parameters.kwargs) -> int:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(errors="backslashreplace")
            try:
                code = work(*arguments, **named) or 0
                sys.stdout.flush()
            except BrokenPipeError:
                # Python flushes once more as it exits, and must find somebody who listens.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return 1
            except refusals as error:
                sys.stderr.write(f"telltale: {error}\n")
                return 1
            except KeyboardInterrupt:
                sys.stderr.write("telltale: stopped before the end\n")
                return STOPPED
            return code

        return run

    return wrap
