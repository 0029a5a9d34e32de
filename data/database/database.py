"""One database, SQLite or PostgreSQL, with one writer at a time on both.

A writer holds the database's write lock from the start of its transaction (SQLite:
BEGIN IMMEDIATE; PostgreSQL: an advisory lock that ends with the transaction). Uploads are few
beside predictions, and in return no rule of the store needs to think of two writers at once:
the same bytes sent twice are one clip, event numbers appear in order, and a blob is never
deleted while somebody stores it again. Readers never wait.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from sqlite3 import OperationalError as SqliteError
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry

from data.database.schema import VERSION_TABLE
from data.errors import DiskFull, InvalidParameter, NotReady

if TYPE_CHECKING:
    from psycopg import Connection as PostgresqlConnection

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
WAIT_S = 30
# Any numbers that nobody else who shares the PostgreSQL database takes.
WRITER_LOCK, SERVICE_LOCK = 0x7E117A1E, 0x7E117A1F
ALIVE_S, ALIVE_ASKED = 10, 3  # a machine that is gone loses the service's lock within half a minute
OURS = (DataError, IntegrityError, ProgrammingError)  # mistakes of this code, to be seen as such
# Codes of SQLite, and of PostgreSQL (SQLSTATE).
FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, "53100")
UNTRANSLATABLE = "22P05"  # PostgreSQL's, of NUL in JSON; of NUL in text the driver itself says it
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, "XX001", "XX002")


class Database:
    def __init__(self, url: str) -> None:
        self._engine = _engine(_parsed(url))
        self._writer = self._engine.execution_options(writer=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with _named_trouble(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock: all of it is kept, or nothing."""
        with _named_trouble(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def service_lock(self) -> Iterator[bool]:
        """Of PostgreSQL: whether nobody else held it; it is held as long as the connection lasts,
        and at most to the end of the block."""
        engine = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        with _named_trouble(), engine.connect() as connection:
            for name, value in (("idle", ALIVE_S), ("interval", ALIVE_S), ("count", ALIVE_ASKED)):
                connection.exec_driver_sql(f"SET tcp_keepalives_{name} = {value}")
            locked = connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({SERVICE_LOCK})")
            yield bool(locked.scalar_one())

    def migrate(self) -> None:
        """Bring the tables up to date; processes that open at once do it one after another."""
        with self.read() as connection:
            if _revision(connection) == _newest_revision():
                return
        with self.write() as connection:
            _upgrade(connection)

    def close(self) -> None:
        self._engine.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidParameter(
            "the database URL cannot be read; it looks like sqlite:////folder/telltale.db "
            "or postgresql://user:password@host/name"
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() in ("sqlite", "postgresql"):
        return parsed
    raise InvalidParameter(
        f"the database URL names {parsed.drivername!r}; accepted are sqlite and postgresql"
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    # A connection that the server dropped overnight is replaced before anybody notices.
    engine = create_engine(url, pool_pre_ping=True)
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _sqlite_engine(url: URL) -> Engine:
    if not url.database or url.database == ":memory:":
        raise InvalidParameter("the SQLite database must be a file: its processes share it")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": WAIT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: SqliteConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions on its own: `_begin_sqlite` says which kind.
    connection.isolation_level = None
    _use_wal(connection)
    # A receipt is a promise: the commit is on the disk before the answer goes out.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _use_wal(connection: SqliteConnection) -> None:
    # A file enters WAL mode once; when several processes try at the same moment, SQLite turns
    # some of them away at once, whatever the timeout says.
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except SqliteError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _prepare_postgresql(
    connection: "PostgresqlConnection[Any]", _entry: ConnectionPoolEntry
) -> None:
    # What is counted by day means one of UTC, as in SQLite, whatever zone the server keeps.
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("writer", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_S}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")


@contextmanager
def _named_trouble() -> Iterator[None]:
    # The driver's own words name hosts and paths: they go to the log, as the cause.
    try:
        yield
    except OURS as error:
        if _has_nul(error):
            raise InvalidParameter("text cannot have the character NUL in it") from error
        raise
    except DBAPIError as error:
        raise _in_words(error) from error


def _has_nul(error: DBAPIError) -> bool:
    """Which PostgreSQL cannot hold, and anybody may put into an address."""
    return "(0x00)" in str(error.orig) or getattr(error.orig, "sqlstate", None) == UNTRANSLATABLE


def _in_words(error: DBAPIError) -> NotReady:
    code = getattr(error.orig, "sqlite_errorcode", None)
    codes = {getattr(error.orig, "sqlstate", None), code, code and code & 0xFF}
    if not codes.isdisjoint(FULL):
        return DiskFull()
    if not codes.isdisjoint(DAMAGED):
        return NotReady("the database is damaged; whoever runs the service restores a backup")
    return NotReady("the database does not answer; try again in a moment")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


def _newest_revision() -> str:
    """A revision is called like its file, so that nobody pays for Alembic to learn its name."""
    return max(path.stem for path in (MIGRATIONS / "versions").glob("*.py"))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NotReady(
            f"the database has the tables of another Telltale ({_revision(connection)}); "
            f"this one knows them up to {_newest_revision()}: update it"
        ) from error
