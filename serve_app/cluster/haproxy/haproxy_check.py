"""Refuses a start where HAProxy would run without our lines.

The configuration that Serve would write is rendered and edited as HAProxy's start edits it, in a
process of its own and beside the start of Ray: to import Serve takes the launcher 1.6 s, and memory
that it needs for nothing else.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import Conflict, TelltaleError
from serve_app.cluster.haproxy.haproxy_start import read_lines
from serve_app.cluster.ray_internals.haproxy_lines import with_lines
from serve_app.cluster.ray_internals.haproxy_template import rendered


@contextmanager
def checking(folder: Path, host: str, port: int) -> Iterator[Callable[[], None]]:
    """Checks beside what happens in the block. Gives a function that waits for the outcome, and
    raises Conflict where the lines that are in `folder` do not fit what Serve writes."""
    command = [sys.executable, "-m", __name__, str(folder), host, str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:

        def refuse_unguarded() -> None:
            words = process.communicate()[1].strip().splitlines()
            if process.returncode:
                raise Conflict(
                    "HAProxy would run without the lines that guard the service: "
                    f"{words[-1] if words else 'the check has ended'}; install the Ray that "
                    "deploy/constraints.txt pins"
                )

        try:
            yield refuse_unguarded
        finally:
            process.kill()


def main() -> None:
    folder, host, port = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir=folder) as own:
        config = rendered(Path(own), host, int(port), [int(port) + 1], int(port) + 2)
    try:
        with_lines(config, host, read_lines(folder))
    except TelltaleError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
