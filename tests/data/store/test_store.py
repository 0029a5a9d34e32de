"""Opening the store, killing those who write to it, and sharing it."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text

from data.database.database import Database
from data.database.schema import VERSION_TABLE, metadata, now, snapshots
from data.errors import InvalidParameter, NotReady, UnknownName
from data.store.store import Store
from support.inputs import uploads


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    database = Database(new_database_url)
    database.migrate()
    yield database
    database.close()


def by_processes(what: str, database_url: str, storage: Path) -> list[str]:
    program = [sys.executable, uploads.__file__, what, database_url, str(storage)]
    return subprocess.run(program, check=True, text=True, stdout=subprocess.PIPE).stdout.split()


def test_processes_killed_in_mid_upload_leave_whole_clips_only(
    store: Store, database_url: str, storage: Path
) -> None:
    acknowledged = by_processes("killed", database_url, storage)
    rows = {clip.sha256 for clip in store.clips.find("faults", limit=10_000)}
    assert rows >= set(acknowledged)
    assert len(acknowledged) >= uploads.KILLS
    for sha256 in rows:
        assert hashlib.sha256(store.clips.read(sha256)).hexdigest() == sha256
    for path in storage.glob("??/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    store.clips.sweep(older_than_s=0)
    assert {path.name for path in storage.rglob("*") if path.is_file()} == rows
    store.close()
    again = Store.open(database_url, str(storage))
    assert again.clips.counts("faults")["accepted"] == len(rows)
    again.close()


def test_processes_that_open_and_add_at_once_make_each_clip_once(
    new_database_url: str, storage: Path
) -> None:
    created = by_processes("race", new_database_url, storage)
    assert len(created) == len(set(created)) == uploads.RACED


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_a_store_opens_again_without_alembic_and_arrow(tmp_path: Path) -> None:
    where = (f"sqlite:///{tmp_path}/telltale.db", str(tmp_path / "blobs"))
    Store.open(*where).close()
    program = (
        "import sys; from data.store.store import Store; Store.open(*sys.argv[1:]).close();"
        "assert not {'alembic', 'pyarrow'} & set(sys.modules), 'a replica pays for them'"
    )
    command = [sys.executable, "-c", program, *where]
    subprocess.run(command, check=True, cwd=Path(__file__).resolve().parents[3])


def test_the_tables_of_a_newer_telltale_are_refused(
    database: Database, new_database_url: str
) -> None:
    with database.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999_future'"))
    with pytest.raises(NotReady, match=r"another Telltale \(9999_future\).*up to"):
        Store.open(new_database_url, "unused")


def test_a_change_that_fails_half_way_leaves_nothing(database: Database) -> None:
    row = {"digest": "x", "domain": "faults", "size": 0, "created_at": now()}

    def half() -> None:
        with database.write() as connection:
            connection.execute(insert(snapshots).values(row))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    with database.read() as connection:
        assert connection.execute(select(snapshots)).all() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "cannot be read; it looks like sqlite"),
        ("mysql://user:secret@host/x", "accepted are sqlite and postgresql"),
        ("sqlite://", "must be a file"),
    ],
)
def test_a_database_url_that_cannot_work_is_explained(url: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message) as refusal:
        Database(url)
    assert "secret" not in str(refusal.value)


def test_a_database_that_is_away_is_not_ready_and_keeps_its_address_secret() -> None:
    with pytest.raises(NotReady) as trouble:
        Store.open("postgresql://user:secret@127.0.0.1:1/x", "unused")
    assert "127.0.0.1" not in str(trouble.value)
    assert "secret" not in str(trouble.value)


def test_nul_in_what_somebody_asks_for_is_his_mistake(store: Store) -> None:
    """PostgreSQL cannot hold it."""
    asks: tuple[Callable[[str], object], ...] = (
        store.feedback.get,
        store.jobs.get,
        store.uploads.get,
        store.runs.get,
        lambda name: store.clips.get("faults", name),
        lambda name: store.keys.revoke(name, who="ann"),
    )
    for ask in asks:
        with pytest.raises((UnknownName, InvalidParameter)):
            ask("a\0name")
    with suppress(InvalidParameter):
        store.events.add("test", subject="a", who="ann", detail={"words": "a\0word"})
