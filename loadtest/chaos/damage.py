"""What is done to a service beside its processes: the disk full, the database locked, files of the
home that hold what they should not; and what one client without a key can flood it with, in so many
sockets, bytes and seconds.
"""

import asyncio
import os
import resource
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from loadtest.chaos.disturbance import Effect, Skipped, Subject
from loadtest.chaos.kills import kill, whole
from loadtest.clip import BOUNDARY, FORM_TYPE
from loadtest.machine import MIB, pss_mib
from loadtest.own_service import LOOK_S, Service
from serve_app.cluster.ray_node import allow_files

DISK = "1g"
HOLD_S = 5.0
BLOCK = bytes(1024**2)
REFUSED_S = 90.0  # for a start to be refused
NONSENSE = b"{ this is not what it should be"
HEADS, BODIES = 4500, 1300
CONNECT_S, SETTLE_S = 1.0, 5.0
FLOOD_S = 15.0  # longer than a head may take
TRICKLE_S = 2.0  # between two bytes of each
SPARE_FILES = 500  # that this process needs besides
FORMS, FORM_PARTS, PART_BYTES = 6, 100, 5_000_000  # six forms of 500 MB
FIELDS, FIELD_BYTES = 480, 1_000_000
FORM_S = 120.0  # in all: one that trickles never waits long for its next byte
SPOOL_MIB, GROWTH_MIB = 1024, 150


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """`place` is a disk of its own inside the block, if this user may mount one."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(place)]
    may = os.geteuid() == 0 and shutil.which("mount")
    mounted = may and not subprocess.run(command, capture_output=True, check=False).returncode
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=False)


def disk_full(subject: Subject) -> Effect:
    service = subject.service
    if not os.path.ismount(service.home):
        raise Skipped("needs a small disk: root, and leave to mount a tmpfs")
    filler, deadline = service.home / "filler", time.monotonic() + HOLD_S
    with filler.open("wb", buffering=0) as file:
        while time.monotonic() < deadline:  # whoever deletes something makes no room
            with suppress(OSError):
                while file.write(BLOCK):
                    pass
            time.sleep(LOOK_S)
    filler.unlink()
    return _keeps_again(subject)


def database_locked(subject: Subject) -> Effect:
    database = subject.service.home / "telltale.db"
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(HOLD_S)
        connection.execute("ROLLBACK")
    return _keeps_again(subject)


def _keeps_again(subject: Subject) -> Effect:
    """It predicts, and has acknowledged a clip since now."""
    over = time.monotonic()
    return Effect(lambda: subject.service.predicts() and subject.ledger.kept_at > over)


def damaged_keys(subject: Subject) -> Effect:
    path = subject.service.home / "keys.json"
    path.write_bytes(NONSENSE)
    time.sleep(HOLD_S)
    path.unlink()
    return Effect(subject.service.predicts)


def corrupt_files(pattern: str, subject: Subject) -> Effect:
    """Of the home, and then a replica starts. Nobody mends them before their next change."""
    found = [*subject.service.home.glob(pattern)]
    if not found:
        raise Skipped(f"this home has no {pattern}")
    for path in found:
        path.chmod(0o600)
        path.write_bytes(NONSENSE)
    return kill("replica", subject)


def corrupt_database(subject: Subject) -> Effect:
    service, home = subject.service, subject.service.home
    service.end()
    (aside := home / "aside").mkdir()
    for path in home.glob("telltale.db*"):
        path.rename(aside / path.name)
    try:
        (home / "telltale.db").write_bytes(NONSENSE * 1000)
        service.start()
        broken = _not_refused(service)
    finally:
        service.end()
        for path in home.glob("telltale.db*"):
            path.unlink()
        for path in aside.iterdir():
            path.rename(home / path.name)
    service.start()
    return Effect(lambda: whole(service) and service.up, broken=broken)


def _not_refused(service: Service) -> list[str]:
    """What is wrong with how a start ended that must be refused in words, nothing left running."""
    with suppress(subprocess.TimeoutExpired):
        service.process.wait(REFUSED_S)
    code, left = service.process.poll(), len(service.members())
    started = code is None or service.up
    wrong = {
        "it started on a database that is none": started,
        f"the refused start ended with exit code {code}, not 1": not started and code != 1,
        "the refusal is a traceback": "Traceback" in service.said(),
        f"{left} processes were left running": code is not None and left,
    }
    return [words for words, is_so in wrong.items() if is_so]


def slow_heads(subject: Subject) -> Effect:
    return _held(subject.service, HEADS, "POST /predict", "X-Slow: ")


def slow_bodies(subject: Subject) -> Effect:
    headers = f"Content-Type: {FORM_TYPE}\r\nContent-Length: 1000000\r\n\r\n--{BOUNDARY}\r\n"
    return _held(subject.service, BODIES, "POST /batch-predict", headers)


def _held(service: Service, count: int, line: str, headers: str) -> Effect:
    """`count` connections that have sent so much, and a byte more now and then."""
    allow_files()
    if (may := resource.getrlimit(resource.RLIMIT_NOFILE)[0]) < count + SPARE_FILES:
        raise Skipped(f"needs {count + SPARE_FILES} open files; this user may have {may}")
    beginning = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\n{headers}".encode()
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            # Never waits: where the service takes no more connections, it stays unconnected.
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", service.port))
        time.sleep(CONNECT_S)
        for one in sockets:
            _send(one, beginning)
        deadline = time.monotonic() + FLOOD_S
        while time.monotonic() < deadline:
            time.sleep(TRICKLE_S)
            open_ = sum(_send(one, b"a") for one in sockets)
    return Effect(service.predicts, (f"{open_} of {count} still open after {FLOOD_S:g} s",))


def _send(one: socket.socket, some: bytes) -> bool:
    """Whether the service has it open still."""
    try:
        one.send(some)
        return one.recv(4096) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def big_forms(subject: Subject) -> Effect:
    files = [("files", ("clip.wav", bytes(PART_BYTES)))] * FORM_PARTS
    return _posted(subject.service, FORMS, files)


def text_form(subject: Subject) -> Effect:
    return _posted(subject.service, 1, [("note", (None, bytes(FIELD_BYTES)))] * FIELDS)


def _posted(service: Service, forms: int, parts: list[Any]) -> Effect:
    """At once and without a key; what they spool, and what a replica keeps of it, is watched."""

    def replica_mib() -> float:
        return max(pss_mib(service.pids("replica")).values(), default=0.0)

    before, spooled = replica_mib(), 0.0
    with ThreadPoolExecutor(forms) as pool:
        waiting = [pool.submit(asyncio.run, _form(service.url, parts)) for _ in range(forms)]
        while wait(waiting, LOOK_S).not_done:
            spooled = max(spooled, spool_mib(service.pids("replica")))
    time.sleep(SETTLE_S)
    grown = replica_mib() - before
    answers = ", ".join(sorted(one.result() for one in waiting))
    spool, growth = f"spooled {spooled:,.0f} MiB at most", f"replica {grown:+.0f} MiB"
    broken = [f"{spool}; {SPOOL_MIB:,} may be"] if spooled > SPOOL_MIB else []
    broken += [f"{growth}; {GROWTH_MIB} may stay"] if grown > GROWTH_MIB else []
    return Effect(service.predicts, (f"answers {answers}", spool, growth), broken)


async def _form(url: str, parts: list[Any]) -> str:
    """The status, or why there is none."""
    try:
        async with asyncio.timeout(FORM_S), httpx.AsyncClient(timeout=None, trust_env=False) as by:
            return str((await by.post(f"{url}/batch-predict", files=parts)).status_code)
    except (httpx.HTTPError, TimeoutError) as error:
        return type(error).__name__


def spool_mib(pids: set[int]) -> float:
    """On disk in temporary files that these processes hold open; nobody else can see those."""
    files: dict[tuple[int, int], int] = {}
    for entry in (entry for pid in pids for entry in Path(f"/proc/{pid}/fd").glob("*")):
        with suppress(OSError):
            found = entry.stat()
            temporary = os.readlink(entry).startswith(f"{tempfile.gettempdir()}/")
            if temporary and stat.S_ISREG(found.st_mode) and not found.st_nlink:
                files[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(files.values()) / MIB
