"""A second HAProxy, started at once when the first has died, until Serve has brought it back.

Serve notices after some seconds that its HAProxy is gone, or the actor that keeps it, and starts
both anew; HAProxy binds its port with SO_REUSEPORT, so the next one comes up beside the stand-in.
Every HAProxy of Serve's writes its process and its configuration into RUNNING when it starts
(see `haproxy_start.py`).
"""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from serve_app.cluster.haproxy.haproxy import STAND_IN
from serve_app.cluster.haproxy.haproxy_start import RUNNING
from serve_app.cluster.service_processes import is_running

LOOK_EVERY_S = 0.2
SETTLED_S = 1.0  # after which a new HAProxy answers for sure


@contextmanager
def stand_in(folder: Path) -> Iterator[None]:
    """Stands by inside the block. `folder` is the one that HAProxy was given to run in. If the
    newest had died before, its cluster has ended, too: only "not ready" is said then."""
    over = threading.Event()
    first = _read(folder / RUNNING)
    ended = first if first and not is_running(int(first.split()[0])) else ""
    watch = threading.Thread(target=_watch, args=(folder, ended, over), name="stand-in")
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _watch(folder: Path, ended: str, over: threading.Event) -> None:
    started: list[subprocess.Popen[bytes]] = []  # a stand-in that was told to end may still answer
    standing = False
    seen, since = "", 0.0
    try:
        while not over.is_set():
            started = [process for process in started if process.poll() is None]
            running = _read(folder / RUNNING)
            if running != seen:
                seen, since = running, time.monotonic()
            if seen and _lives(int(seen.split()[0])):
                if standing and time.monotonic() - since > SETTLED_S:
                    standing = False
                    for process in started:
                        process.send_signal(signal.SIGUSR1)  # it answers what it has, then ends
                continue
            if seen and seen == _read(folder / RUNNING) and not (standing and started):
                standing = not over.is_set()
                started += _started(folder, seen, without=ended) if standing else []
            over.wait(LOOK_EVERY_S)
    finally:
        for process in started:
            process.kill()
            process.wait()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def _lives(pid: int) -> bool:
    """Looks for a while, and notices at once if it ends."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        looking = select.poll()
        looking.register(handle, select.POLLIN)
        return not looking.poll(LOOK_EVERY_S * 1000)
    finally:
        os.close(handle)


def _started(folder: Path, running: str, without: str) -> "list[subprocess.Popen[bytes]]":
    """With the same configuration but for the socket by which Serve asks its own HAProxy; and
    `without` replicas where they are gone: the next ones may have their ports for other things."""
    own = folder / "stand-in.cfg"
    left_out = ("stats socket", "server ") if running == without else ("stats socket",)
    with suppress(OSError):
        lines = Path(running.split(maxsplit=1)[1]).read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not line.strip().startswith(left_out)]
        own.write_text("\n".join(kept) + "\n", encoding="utf-8")
        command = [str(folder / STAND_IN), "-db", "-f", str(own)]
        quiet = subprocess.DEVNULL
        return [subprocess.Popen(command, stdout=quiet, stderr=quiet)]
    return []
