"""The SQLite files of a home: sound when the service starts, whole in themselves when it stops.

In WAL mode what was written last lies in a second file, until a checkpoint moves it into the
first. SQLite does so when its last user leaves, but Ray ends its processes by killing them.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from data.errors import NotReady
from data.home import Home

CHECK_S = 10.0  # a database of gigabytes is read in part
STOP_PATIENCE_S = 5.0  # for a process that is just ending
STEPS = 10_000  # of SQLite's machine between two looks at the clock
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
BUSY = (sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def maintained_databases(home: Home) -> Iterator[None]:
    """Raises NotReady where a file is damaged; behind the block a copy of each holds everything."""
    for path in home.sqlite_files:
        must_be_sound(path)
    try:
        yield
    finally:
        for path in home.sqlite_files:
            with suppress(NotReady):
                checkpoint(path, STOP_PATIENCE_S)


def must_be_sound(path: Path) -> None:
    """Raises NotReady with what to do; a file that is not there yet is none that is damaged."""
    if not path.exists():
        return
    if path.stat().st_size == 0:
        raise NotReady(_damaged(path, "it is empty"))
    deadline = time.monotonic() + CHECK_S
    with _opened(path) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise NotReady(_damaged(path, "pages of it are not what SQLite wrote"))


def checkpoint(path: Path, patience_s: float = 0.1) -> None:
    """What can be moved without waiting is; `patience_s` is how long writers may have to wait for
    the rest, so that the second file is emptied, too. Raises NotReady."""
    if not path.exists():
        return
    with _opened(path, patience_s) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copied(path: Path, target: Path) -> None:
    """All of it as it is at one moment, also while it is written to. Raises NotReady."""
    with _opened(path) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    must_be_sound(target)


@contextmanager
def _opened(path: Path, patience_s: float = STOP_PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """Never makes the file. What is busy is let be; other trouble is NotReady."""
    try:
        where = f"file:{quote(str(path))}?mode=rw"
        with closing(sqlite3.connect(where, uri=True, timeout=patience_s)) as connection:
            yield connection
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in DAMAGED:
            raise NotReady(_damaged(path, str(error))) from error
        if code not in BUSY:
            raise NotReady(f"the database {path.name} cannot be opened ({error})") from error


def _damaged(path: Path, why: str) -> str:
    return (
        f"the database {path.name} is damaged ({why}); restore a backup into another TELLTALE_HOME "
        f"(telltale restore FILE), or move it away, with its -wal and -shm, "
        f"to start with an empty one: {path}"
    )
