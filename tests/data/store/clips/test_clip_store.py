"""Rows and bytes stay together; lists and counts are right and quick."""

import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from data.database.database import Database
from data.errors import Conflict, NotReady, UndecodableClip, UnknownName
from data.store.blobs import Folder
from data.store.clips.clip_store import ClipStore
from data.store.store import Store
from support.inputs.uploads import new_clip


def files(storage: Path) -> list[str]:
    return sorted(path.name for path in storage.rglob("*") if path.is_file())


def test_what_is_stored_can_be_read(store: Store) -> None:
    clip, created = store.clips.add(new_clip(b"hum"), who="anna")
    assert created
    assert store.clips.read(clip.sha256) == b"hum"
    assert store.clips.get("faults", clip.sha256) == clip
    assert (clip.who, clip.size_bytes, clip.created_at.tzname()) == ("anna", 3, "UTC")


def test_the_same_bytes_from_many_threads_are_one_clip(store: Store) -> None:
    outcomes: list[bool] = []

    def send() -> None:
        outcomes.extend(store.clips.add(new_clip(b"hum" * n), who="anna")[1] for n in range(1, 6))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(outcomes), sum(outcomes)) == (40, 5)
    assert store.clips.counts("faults")["accepted"] == 5


def test_of_many_clips_each_has_its_own_outcome(store: Store) -> None:
    store.clips.add(new_clip(b"known", "fluid"), who="anna")
    news = [new_clip(b"first"), new_clip(b"known", "normal"), new_clip(b"first")]
    first, conflict, again = store.clips.add_many(news, who="ben")
    assert isinstance(conflict, Conflict)
    assert isinstance(first, tuple)
    assert first[1]
    assert again == (first[0], False)


def test_lists_are_newest_first_and_filtered(store: Store) -> None:
    news = [
        new_clip(b"1", "normal"),
        new_clip(b"2", "fluid"),
        new_clip(b"3", "fluid", "quarantined"),
        new_clip(b"4", "one", domain="keywords"),
    ]
    store.clips.add_many(news, who="anna")

    def found(**how: object) -> list[bytes]:
        return [store.clips.read(c.sha256) for c in store.clips.find("faults", **how)]  # type: ignore[arg-type]

    assert found() == [b"3", b"2", b"1"]
    assert found(state="accepted") == [b"2", b"1"]
    assert found(state="accepted", label="fluid") == [b"2"]
    assert found(limit=1, offset=1) == [b"2"]
    assert store.clips.counts("faults") == {"accepted": 2, "quarantined": 1, "rejected": 0}


def test_a_forgotten_clip_leaves_neither_row_nor_bytes(store: Store, storage: Path) -> None:
    clip, _ = store.clips.add(new_clip(), who="anna")
    assert store.clips.forget("faults", clip.sha256, who="admin") == []
    assert files(storage) == []
    with pytest.raises(UnknownName):
        store.clips.read(clip.sha256)
    assert store.clips.add(new_clip(), who="anna")[1]


def test_bytes_stay_while_another_domain_needs_them(store: Store) -> None:
    clip, _ = store.clips.add(new_clip(domain="faults"), who="anna")
    store.clips.add(new_clip(domain="keywords"), who="anna")
    store.clips.forget("faults", clip.sha256, who="admin")
    assert store.clips.read(clip.sha256) == b"hum"
    store.clips.forget("keywords", clip.sha256, who="admin")
    with pytest.raises(UnknownName):
        store.clips.read(clip.sha256)


class PowerCut(Folder):
    """Keeps the bytes, then the process dies."""

    def put(self, sha256: str, raw: bytes) -> None:
        super().put(sha256, raw)
        raise KeyboardInterrupt


def test_bytes_without_a_row_are_invisible_until_they_are_swept(
    store: Store, database_url: str, storage: Path
) -> None:
    kept, _ = store.clips.add(new_clip(b"kept"), who="anna")
    database = Database(database_url)
    with pytest.raises(KeyboardInterrupt):
        ClipStore(database, PowerCut(storage)).add(new_clip(b"lost"), who="anna")
    database.close()
    assert len(files(storage)) == 2
    assert store.clips.find("faults") == [kept]
    with pytest.raises(UnknownName):
        store.clips.read(next(name for name in files(storage) if name != kept.sha256))
    assert store.clips.sweep() == 0, "it may be an upload that still goes on"
    assert store.clips.sweep(older_than_s=0) == 1
    assert files(storage) == [kept.sha256]


def test_bytes_that_changed_on_the_disk_are_not_handed_out(store: Store, storage: Path) -> None:
    clip, _ = store.clips.add(new_clip(), who="anna")
    next(path for path in storage.rglob(clip.sha256)).write_bytes(b"hu")
    with pytest.raises(UndecodableClip, match="damaged"):
        store.clips.read(clip.sha256)


def test_a_full_disk_is_said_without_a_path(store: Store, storage: Path) -> None:
    (storage / "unfinished").rename(storage / "elsewhere")
    (storage / "unfinished").write_bytes(b"")
    with pytest.raises(NotReady) as trouble:
        store.clips.add(new_clip(), who="anna")
    assert str(storage) not in str(trouble.value)
    assert store.clips.find("faults") == []


def test_lists_and_counts_use_indexes(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/telltale.db", str(tmp_path / "blobs"))
    store.clips.add_many([new_clip(os.urandom(8)) for _ in range(50)], who="anna")
    asked: list[tuple[str, object]] = []

    def note(_c: object, _cursor: object, sql: str, parameters: object, *_: object) -> None:
        asked.append((sql, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        store.clips.find("faults")
        store.clips.find("faults", state="accepted")
        store.clips.find("faults", label="normal")
        store.clips.counts("faults")
        store.clips.count_new("faults")
        store.feedback.find("faults", state="quarantined")
        store.events.find(subject="run:1")
        store.runs.find("faults")
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        store.close()
    connection = sqlite3.connect(tmp_path / "telltale.db")
    queries = [(sql, values) for sql, values in asked if sql.startswith("SELECT")]
    assert len(queries) == 8
    for sql, values in queries:
        steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]  # type: ignore[arg-type]
        looked_up = [step for step in steps if not step.startswith("CORRELATED")]
        assert all("SEARCH" in step and "INDEX" in step for step in looked_up), (sql, steps)
    connection.close()
