"""Fixtures of the store's tests: each test runs on SQLite and on PostgreSQL.

Test modules name this file in `pytest_plugins`. The PostgreSQL server lives in a temporary
folder, for one session, behind a Unix socket; without its programs those tests are skipped.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import delete

from data.database.database import Database
from data.database.schema import metadata
from data.store.store import Store

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The folder of a running server's socket."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed here (initdb, pg_ctl)")
    # The server refuses to run as root.
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="telltale-pg-", ignore_cleanup_errors=True) as folder:
        if account:
            shutil.chown(folder, account)

        def server(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", f"{folder}/data", *arguments]
            with open(os.devnull, "w") as quiet:
                subprocess.run(command, check=True, user=account, cwd=folder, stdout=quiet)

        server("initdb", "--no-sync", "-A", "trust", "-U", "postgres")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=200"
        server("pg_ctl", "start", "-w", "-o", options, "-l", f"{folder}/log")
        yield folder
        server("pg_ctl", "stop", "-m", "immediate")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database of each kind, for the session; `store` empties it after each test."""
    return _new_database(request, tmp_path_factory.mktemp("database"))


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables."""
    return _new_database(request, tmp_path)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def store(database_url: str, storage: Path) -> Iterator[Store]:
    store = Store.open(database_url, str(storage))
    yield store
    store.close()
    database = Database(database_url)
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))
    database.close()


def _new_database(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{folder}/telltale.db"
    socket = request.getfixturevalue("postgresql")
    name = f"telltale_{next(_numbers)}"
    with psycopg.connect(host=socket, user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://postgres@/{name}?host={socket}"


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
