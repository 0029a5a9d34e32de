"""The disk full, the database locked, and files of the home that hold what they should not."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from loadtest.chaos.kills import kill, whole
from loadtest.chaos.outcome import Effect, Skipped, Subject
from loadtest.own_service import LOOK_S, Service

DISK = "1g"
HOLD_S = 5.0
BLOCK = bytes(1024**2)
REFUSED_S = 90.0  # for a start to be refused
NONSENSE = b"{ this is not what it should be"


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """`place` is a disk of its own inside the block where this user may mount one, else a folder
    like any other."""
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
    filler = service.home / "filler"
    try:
        deadline = time.monotonic() + HOLD_S
        with filler.open("wb", buffering=0) as file:
            while time.monotonic() < deadline:  # whoever deletes something makes no room
                with suppress(OSError):
                    while file.write(BLOCK):
                        pass
                time.sleep(LOOK_S)
    finally:
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
    try:
        time.sleep(HOLD_S)
    finally:
        path.unlink()
    return Effect(subject.service.predicts)


def damaged_pointer(subject: Subject) -> Effect:
    path = subject.service.home / "champions" / f"{subject.service.domain}.json"
    if not path.exists():
        raise Skipped("this home has no pointer to its champion")
    path.write_bytes(NONSENSE)  # the next change of champion writes it anew
    return kill("replica", subject)


def corrupt_bundle(subject: Subject) -> Effect:
    heads = [*(subject.service.home / "bundles").rglob("head.safetensors")]
    if not heads:
        raise Skipped("this home's cache of bundles is empty")
    for head in heads:
        head.chmod(0o600)
        head.write_bytes(NONSENSE * 100)
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
    words, code = service.said(), service.process.poll()
    broken = []
    if code is None or service.up:
        broken.append("it started on a database that is none")
    elif code != 1:
        broken.append(f"the refused start ended with exit code {code}, not 1")
    if "Traceback" in words:
        broken.append("the refusal is a traceback")
    if code is not None and (left := service.members()):
        broken.append(f"{len(left)} processes were left running")
    return broken
