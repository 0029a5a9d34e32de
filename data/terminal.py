"""What a command prints reaches whoever reads it: names of any bytes, and a reader who leaves."""

import io
import os
import sys
from collections.abc import Callable


def piped(command: Callable[[], int]) -> int:
    """Its exit code. A name that is not UTF-8 is printed escaped; a reader who has read enough
    (`| head`) ends the command with 1 and no traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more as it exits, and must find somebody who listens.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code
