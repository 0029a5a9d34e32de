"""What Serve starts as HAProxy: puts our lines into Serve's configuration, then becomes HAProxy.

The scripts that `haproxy.py` writes call this in a Python without site-packages. Nothing that takes
time to import is imported: it runs whenever a replica comes or goes.
"""

import os
import sys

from data.errors import TelltaleError
from serve_app.cluster.parent_death import die_with
from serve_app.cluster.ray_internals.haproxy_lines import SECTIONS, with_lines

RUNNING = "haproxy.running"  # process and configuration of the newest; read by second_haproxy.py


def serves_own(parent: str, folder: str, host: str, *command: str) -> None:
    """`command` is HAProxy's, BINARY -db -f CONFIG and more; it never runs without our lines.

    That file is edited rather than a copy, because Serve knows its own HAProxy processes by the
    name of the file on their command line."""
    config = command[3]
    try:
        _replace(config, with_lines(_read(config), host, read_lines(folder)))
    except TelltaleError as error:
        sys.exit(f"telltale: {error}")
    _replace(f"{folder}/{RUNNING}", f"{os.getpid()} {config}\n")
    stand_in(parent, *command)


def stand_in(parent: str, *command: str) -> None:
    """For one whose configuration has our lines already."""
    die_with(int(parent))
    os.execv(command[0], command)


def lines_path(folder: str, section: str) -> str:
    return f"{folder}/{section}.cfg"


def read_lines(folder: str) -> dict[str, list[str]]:
    return {name: _read(lines_path(folder, name)).splitlines() for name in SECTIONS}


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _replace(path: str, text: str) -> None:
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)
