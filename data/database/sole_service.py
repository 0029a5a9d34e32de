"""One service a database: two would end each other's runs and look for each other's clips.

What lies in the home is locked with it (`serve_app/cluster/supervisor.py`). Elsewhere PostgreSQL
has a lock that ends with the connection, and a file of SQLite one beside it; neither outlives the
process that holds it. KubeRay starts pods another way: while it replaces a cluster two serve from
one database, with all other stores in common.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from data.errors import Conflict, TelltaleError
from data.home import Home, sqlite_file

PATIENCE_S, LOOK_S = 10.0, 0.5  # with one that is just ending, and with a database that starts too
TAKEN = (
    "another Telltale serves from this database; stop it, or give this one a database, clips and a "
    "registry of its own (TELLTALE_DATABASE_URL, TELLTALE_STORAGE_URI, MLFLOW_TRACKING_URI)"
)


@contextmanager
def sole_service(home: Home, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Inside the block no other service, of whatever machine, serves from the home's database.
    Raises Conflict where one does, NotReady where it is away."""
    path = sqlite_file(home.database_url)
    if path is not None and path.parent == home.root:
        yield
        return
    held = partial(_of_postgresql, home.database_url) if path is None else partial(_beside, path)
    deadline = time.monotonic() + patience_s
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(held())
                break
            except TelltaleError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(LOOK_S)
        yield


@contextmanager
def _of_postgresql(url: str) -> Iterator[None]:
    from data.database.database import Database  # and with it SQL

    database = Database(url)
    try:
        with database.service_lock() as is_ours:
            if not is_ours:
                raise Conflict(TAKEN)
            yield
    finally:
        database.close()


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.service").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(TAKEN) from None
        yield
