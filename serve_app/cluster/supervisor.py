"""Keeps one Telltale running: `python -m serve_app` stays here, and its cluster runs in a child.

The child (`launch.py`) starts Ray and watches its processes. It ends when one of them is gone
that Ray does not bring back by itself; then everything of this service that is left is ended, and
a new child started on the same ports. This process never imports Ray, which aborts whoever loses
its control plane.
"""

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from data.errors import Conflict, NotReady
from data.home import Home
from serve_app.cluster.service_processes import end_service

LOCK = "running.lock"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0  # before a start that follows one that failed
STOP_S = 60.0
UP = b"up\n"
TRY_AGAIN = os.EX_TEMPFAIL  # exit code of a start that may succeed another time
FIRST_STARTS = 3  # as often it is tried before it ever served


@contextmanager
def alone_in(home: Home) -> Iterator[None]:
    """Inside the block no other Telltale runs in this home, nor anything that one left behind.
    Raises Conflict where one runs."""
    with (home.root / LOCK).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Conflict(
                f"a Telltale runs in {home.root} already (process {lock.read().strip()}); stop "
                "it, or give this one a TELLTALE_HOME of its own"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        end_service(home.root)
        try:
            yield
        finally:
            end_service(home.root)


@contextmanager
def alone_at(port: int) -> Iterator[None]:
    """Inside the block no other Telltale of this machine listens at `port`: HAProxy binds it with
    SO_REUSEPORT, so that two would share it. Raises Conflict where one does."""
    with socket.socket(socket.AF_UNIX) as held:
        try:
            held.bind(f"\0telltale-port-{port}")  # Linux: a name without a file, gone with us
        except OSError:
            raise Conflict(
                f"port {port} is taken by another Telltale; choose another with TELLTALE_PORT"
            ) from None
        yield


def supervise(command: list[str], home: Home, say: Callable[[str], None]) -> int:
    """Runs `command` until it is stopped, and again whenever it ends by itself; an exit code.

    `command` is a module with its arguments, which writes to the file descriptor that `--up` names
    once it serves. One that fails before it ever did has said why, and that is the end; raises
    NotReady where it could not.
    """
    child: subprocess.Popen[bytes] | None = None
    served, starts, pause_s = False, 0, FIRST_PAUSE_S
    try:
        while True:
            child, up = _started([*command, "--again"] if served else command)
            starts += 1
            with up:
                if up.read(len(UP)) == UP:  # empty when the child ends
                    served, pause_s = True, FIRST_PAUSE_S
            code = child.wait()
            end_service(home.root)
            if not served and (code != TRY_AGAIN or starts == FIRST_STARTS):
                if code > 0:
                    return 1
                raise NotReady(
                    f"the cluster has ended ({_ending(code)}) before it served; where nobody ended "
                    f"it, memory may have run out, or Ray's logs say why: {home.root / 'logs'}"
                )
            say(f"the cluster has ended ({_ending(code)}); starting it anew")
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    except KeyboardInterrupt:
        say("stopping")
        return 0
    finally:
        if child is not None:
            _stop(child)
        end_service(home.root)


def _started(command: list[str]) -> tuple["subprocess.Popen[bytes]", IO[bytes]]:
    """In a session of its own: Ctrl-C is for this process, which then stops the other."""
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", *command, "--up", str(writing), "--parent", str(os.getpid())],
        pass_fds=(writing,),
        start_new_session=True,
    )
    os.close(writing)
    return child, os.fdopen(reading, "rb")


def _stop(child: "subprocess.Popen[bytes]") -> None:
    with suppress(KeyboardInterrupt):  # a second Ctrl-C: at once, then
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_S)
    child.kill()
    child.wait()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
