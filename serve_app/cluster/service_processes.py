"""The processes of one service, whoever started them: Ray's, HAProxy, the retrains.

Each has the service's home in its environment (`MARK`), which children inherit, and its scratch
folder in several variables: a process that sets its title may write over some of them.
"""

import os
import signal
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

MARK = "TELLTALE_SERVICE"
GONE_S = 5.0


def stop_when_asked() -> None:
    """Both by hand: what a script starts in the background inherits SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def scratch_path(home: Path) -> Path:
    """Below /tmp, since a socket's path has at most 97 characters."""
    return Path(f"/tmp/telltale-{os.getuid()}-{sha256(str(home).encode()).hexdigest()[:8]}")


def service_processes(home: Path, proc: Path = Path("/proc")) -> list[int]:
    """Those of the service in `home`, this one left out."""
    mark, scratch = f"{MARK}={home}".encode(), f"={scratch_path(home)}/".encode()
    ours, parents = set(), {}
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            told = (folder / "environ").read_bytes()
            if not told:
                continue  # one that has ended has no environment left
            parents[int(folder.name)] = _parent(folder)
            if scratch in told or mark in told.split(b"\0"):
                ours.add(int(folder.name))
    # A title may have covered all of it; what a process of ours has started is ours.
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sorted(ours - {os.getpid()})


def _parent(folder: Path) -> int:
    """Fields are counted from behind the name, which stands in brackets and may hold anything."""
    stat = (folder / "stat").read_text(encoding="ascii", errors="replace")
    return int(stat.rpartition(")")[2].split()[1])


def end_service(home: Path) -> None:
    """Kills the service's processes, and those that they start meanwhile, and waits until they are
    gone; what they hold, a port above all, is free then."""
    deadline = time.monotonic() + GONE_S
    while (left := service_processes(home)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
