"""A server that is measured, and everything it started: awake only while it is its turn.

The trick that makes a fair comparison of servers that run side by side: who is not being measured
is stopped (SIGSTOP) and uses nothing, however busy it is when idle. Parents sleep before their
children and wake after them, so that none sees a child that does not answer.
"""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from data.install_paths import CODE
from loadtest.machine.processes import Roles, role, running_process, send, tree
from loadtest.machine.processes import running as processes
from loadtest.machine.usage import cpu_s, use
from loadtest.own_service import launched, reached, wait_until

CALM = 0.5  # of a core: Telltale's own bookkeeping stays below


@dataclass(frozen=True)
class Server:
    title: str
    command: tuple[str, ...]
    port: int
    path: str = "/predict"
    raw_path: str = ""  # for a clip that is the whole body; empty where there is no such route
    roles: Roles = field(default_factory=dict)
    waits_for: Mapping[str, int] = field(default_factory=dict)  # processes of a role
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    server: Server
    pid: int
    url: str
    start_up_s: float
    label: str  # what it takes the clip for; all must agree
    members: frozenset[psutil.Process] = frozenset()  # those who serve, when it came up


@contextmanager
def running(server: Server, clip: bytes, log: Path) -> Iterator[Running]:
    """Raises NotReady with the server's last words if it does not come up, RuntimeError where its
    port is taken."""
    _refuse_taken(server.port)
    environment = {**os.environ, "PYTHONPATH": str(CODE), **server.environment}
    failure = f"{server.command!r} did not come up"
    started = time.monotonic()
    process = launched(server.command, environment, log)
    try:
        url = f"http://127.0.0.1:{server.port}"
        answers = url + server.path
        wait_until(lambda: label_from(answers, clip) != "", process, log, failure)
        took = time.monotonic() - started
        wait_until(lambda: _complete(server, process.pid), process, log, failure)
        label = label_from(answers, clip)
        up = Running(server, process.pid, url, took, label, serving(server, process.pid))
        calm(up)
        yield up
    finally:
        end(process.pid)
        process.wait()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise RuntimeError(f"port {port} is taken; choose others with --port") from None


def label_from(url: str, clip: bytes) -> str:
    """The answered label; empty while there is no answer."""
    try:
        response = httpx.post(url, files={"file": clip}, timeout=30, trust_env=False)
        found = response.json() if response.status_code == 200 else {}
    except (httpx.HTTPError, ValueError):
        return ""
    # BentoML's batching answers a list for each request.
    found = found[0] if isinstance(found, list) else found
    return str(found.get("label", ""))


def _complete(server: Server, root: int) -> bool:
    roles = Counter(role(process.pid, server.roles) for process in family(root))
    return all(roles[name] >= number for name, number in server.waits_for.items())


def serving(server: Server, root: int) -> frozenset[psutil.Process]:
    """Whose end would be a failure: those waited for, where such are named, else everybody."""
    wanted = server.waits_for
    members = family(root)
    return frozenset(one for one in members if not wanted or role(one.pid, server.roles) in wanted)


@contextmanager
def awake(up: Running) -> Iterator[None]:
    thaw(up.pid)
    calm(up)
    try:
        yield
    finally:
        calm(up)
        freeze(up.pid)


def calm(up: Running, patience_s: float = 20.0, look_s: float = 0.3) -> None:
    """Waits until what was left to do is done: after a start, a sleep, or a client that left."""

    def is_calm() -> bool:
        before = use(family(up.pid))
        time.sleep(look_s)
        return sum(cpu_s(before, use(family(up.pid))).values()) < CALM * look_s

    reached(is_calm, patience_s, every_s=0.0)


def family(root: int) -> list[psutil.Process]:
    """`root`, its descendants and its session, parents before children."""
    session = [process.pid for process in processes() if _session(process.pid) == root]
    return sorted(tree([root, *session]).values(), key=lambda one: (one.create_time(), one.pid))


def _session(pid: int) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def freeze(root: int) -> None:
    """Returns when everybody sleeps; somebody may have been born meanwhile."""
    asleep: set[int] = set()
    while fresh := [process.pid for process in family(root) if process.pid not in asleep]:
        send(fresh, signal.SIGSTOP)
        asleep.update(fresh)


def thaw(root: int) -> None:
    send([process.pid for process in reversed(family(root))], signal.SIGCONT)


def end(root: int, patience_s: float = 60, orphans_s: float = 3) -> None:
    """Asks `root` to stop and lets it; who is left a moment after it, or then, is killed."""
    members = family(root)
    thaw(root)
    send([root], signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and (alive := _alive(members)):
        if root not in alive:
            deadline = min(deadline, time.monotonic() + orphans_s)
        time.sleep(0.1)
    send(_alive(members), signal.SIGKILL)
    while _alive(members):  # its port is free only then
        time.sleep(0.02)


def _alive(members: Iterable[psutil.Process]) -> list[int]:
    return [one.pid for one in members if running_process(one.pid) == one]
