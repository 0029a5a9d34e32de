"""MLflow kept quiet, at home and opened by one process at a time; its errors in our words."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from pathlib import Path

from data.errors import Conflict, NotReady, UnknownName
from data.without_pandas import without_pandas

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",  # no warning where there is no git
}
SQLITE = "sqlite:///"
OF_STORE = (
    "alembic.command",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracking.client",
    "sqlalchemy.dialects.sqlite",
)


def quieten_mlflow() -> None:
    """To be called before anything of MLflow is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def import_store() -> None:
    """All that opening it imports, for a process that forks, which may hold no connection."""
    quieten_mlflow()
    with without_pandas():
        for name in OF_STORE:
            import_module(name)


def has_store(tracking_uri: str) -> bool:
    """Whether there may be something in it: a local store that is not there yet is empty."""
    local = tracking_uri.startswith(SQLITE)
    return not local or Path(tracking_uri.removeprefix(SQLITE)).exists()


def commits(tracking_uri: str) -> Callable[[], object]:
    """A function whose answer is another one after whatever anybody has committed to a local store
    that is open; None where that cannot be told, as of a server, or a file that was replaced."""
    if not tracking_uri.startswith(SQLITE):
        return lambda: None
    database = tracking_uri.removeprefix(SQLITE)
    connection = sqlite3.connect(database, check_same_thread=False)
    opened = os.stat(database).st_ino

    def seen() -> object:
        with suppress(OSError, sqlite3.Error):  # who asks MLflow then hears what is wrong
            if os.stat(database).st_ino == opened:
                return connection.execute("PRAGMA data_version").fetchone()
        return None

    return seen


@contextmanager
def opening(tracking_uri: str) -> Iterator[None]:
    """Holds the lock of a local store while it is opened, which the first time creates it.

    MLflow's own lock lies in the temporary folder, which two containers do not share.
    """
    if not tracking_uri.startswith(SQLITE):
        yield
        return
    database = Path(tracking_uri.removeprefix(SQLITE))
    database.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{database}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            _create(database)
        _write_ahead(database)
        yield


def _create(database: Path) -> None:
    """Aside, and in its place when it is whole: a service that was killed between two of MLflow's
    three hundred migrations could never open what they had left."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    part = database.with_name(f"{database.name}.part")
    for left in database.parent.glob(f"{part.name}*"):  # with its log, by one that was killed
        left.unlink()
    _write_ahead(part)
    with mlflow_errors():
        SqlAlchemyStore(f"{SQLITE}{part}").engine.dispose()
    for name in ("wal", "shm"):  # of a database that was removed: SQLite would replay them
        database.with_name(f"{database.name}-{name}").unlink(missing_ok=True)
    part.rename(database)


def _write_ahead(database: Path) -> None:
    """Kept in the file for good: a job that writes no longer stops the curator from reading, and
    migrations wait for the disk half as often."""
    try:
        with closing(sqlite3.connect(database, timeout=20)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error as error:
        raise NotReady("the database of the model registry (MLflow) cannot be read") from error


@contextmanager
def mlflow_errors() -> Iterator[None]:
    """MLflow's errors as ours; their own texts hold addresses and paths."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        code = error.error_code
        # An alias that does not exist is an invalid parameter to MLflow.
        if code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise UnknownName("the model registry (MLflow) knows no such thing") from error
        if code == "RESOURCE_ALREADY_EXISTS":
            raise Conflict("the model registry (MLflow) has that already") from error
        raise NotReady(f"the model registry (MLflow) does not answer ({code})") from error
    except SQLAlchemyError as error:  # while it opens its database MLflow lets them through
        raise NotReady("the database of the model registry (MLflow) does not answer") from error
    except OSError as error:
        raise NotReady("the files of the model registry (MLflow) are out of reach") from error
