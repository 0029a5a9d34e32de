"""Clips to store; and, run as a program, processes that store them at the same time.

    python uploads.py killed <database url> <folder>   killed while they add; prints what was kept
    python uploads.py race   <database url> <folder>   all add the same; prints what they created

The program forks, which is safe in it: it has no threads, and no connections yet.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

import alembic.command  # noqa: F401

from data.database.database import Database
from data.database.schema import ClipState
from data.store.clips.clip_rows import NewClip
from data.store.store import Store

KILLS = 10
RACERS = 4
RACED = 12


def new_clip(
    raw: bytes = b"hum",
    label: str | None = "normal",
    state: ClipState = "accepted",
    domain: str = "faults",
) -> NewClip:
    return NewClip(
        raw,
        domain=domain,
        label=label,
        group=None,
        state=state,
        source="upload",
        duration_s=1.0,
        sample_rate_hz=16_000,
    )


def killed(database_url: str, storage: str) -> None:
    chance = random.Random(7)
    for _ in range(KILLS):
        kept, tell = os.pipe()
        work = partial(_add_for_ever, database_url, storage, tell)
        children = [_fork(work) for _ in range(2)]
        os.close(tell)
        first = os.read(kept, 65)
        time.sleep(chance.uniform(0, 0.03))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        with os.fdopen(kept, "rb") as rest:
            sys.stdout.write((first + rest.read()).decode())


def race(database_url: str, storage: str) -> None:
    children = [_fork(partial(_add_the_same, database_url, storage)) for _ in range(RACERS)]
    for child in children:
        assert os.waitpid(child, 0)[1] == 0, "a racer failed"


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return child


def _add_for_ever(database_url: str, storage: str, tell: int) -> None:
    store = Store.open(database_url, storage)
    while True:
        clip, _ = store.clips.add(new_clip(os.urandom(300_000)), who="victim")
        os.write(tell, f"{clip.sha256}\n".encode())


def _add_the_same(database_url: str, storage: str) -> None:
    store = Store.open(database_url, storage)
    for number in range(RACED):
        clip, created = store.clips.add(new_clip(b"raced" * (number + 1)), who="racer")
        if created:
            os.write(1, f"{clip.sha256}\n".encode())


if __name__ == "__main__":
    Database(sys.argv[2])  # imports the driver here once, not in every child; as above, Alembic
    {"killed": killed, "race": race}[sys.argv[1]](*sys.argv[2:])
