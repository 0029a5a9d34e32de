"""CPU by process of a service on this machine, read from /proc.

Everything Telltale runs is below one process; from any replica it is found by going up.
"""

import os
from pathlib import Path

PROC = Path("/proc")
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
# The first that is found in a command line names its group.
GROUPS = (
    ("ServeReplica:curator", "curator"),
    ("ServeReplica:ui", "page"),
    ("ServeReplica", "replicas"),
    ("haproxy", "HAProxy"),
    ("locust", "load client"),
    ("loadtest.scaling", "load client"),
)
REST = "Ray"


def cpu_seconds(roots: list[int]) -> dict[str, float]:
    """Group -> CPU seconds that the processes below `roots`, and these, have used so far."""
    spent: dict[str, float] = {}
    for pid in _below(roots):
        try:
            command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            fields = _fields(pid)
        except (OSError, UnicodeDecodeError):  # it has just ended
            continue
        group = next((name for part, name in GROUPS if part in command), REST)
        ticks = int(fields[11]) + int(fields[12])
        spent[group] = spent.get(group, 0.0) + ticks * TICK_S
    return spent


def service_root(replica_pid: int) -> int | None:
    """The process that started the service this replica belongs to; None on another machine."""
    pid, found = replica_pid, None
    while pid > 1:
        try:
            command = (PROC / str(pid) / "cmdline").read_bytes()
            parent = int(_fields(pid)[1])
        except OSError:
            return found
        if pid == replica_pid and b"ServeReplica" not in command:
            return None
        if b"raylet" in command or b"serve_app" in command:
            found = pid
        pid = parent
    return found


def environment_of(pid: int, name: str) -> str | None:
    """A variable that the process started with; None where it has none or may not be read."""
    try:
        pairs = (PROC / str(pid) / "environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    return next((pair.partition("=")[2] for pair in pairs if pair.startswith(f"{name}=")), None)


def _below(roots: list[int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_fields(int(entry.name))[1]), []).append(int(entry.name))
            except OSError:
                continue
    waiting = list(roots)
    met: set[int] = set()
    while waiting:
        pid = waiting.pop()
        if pid not in met:
            met.add(pid)
            waiting.extend(children.get(pid, []))
    return met


def _fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on: [1] is the parent, [11] and [12] user and system ticks."""
    text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()
