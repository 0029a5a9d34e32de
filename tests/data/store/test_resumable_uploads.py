"""resumable_uploads.py: a recording that comes in parts is whole or not there, whoever sends it."""

import io
import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from data.database.schema import analysis_jobs, now, uploads
from data.errors import ClipTooLarge, Conflict, NotReady, Overloaded, UnknownName
from data.store import resumable_uploads as module
from data.store.analysis_jobs import Job
from data.store.disk import Disk
from data.store.store import Store

pytest_plugins = ["support.databases"]


def stored(storage: Path) -> list[Path]:
    return sorted(path for path in storage.glob("parts/*"))


def append(store: Store, upload_id: str, came: int, part: bytes) -> None:
    store.uploads.append(upload_id, came, io.BytesIO(part), len(part))


def test_parts_are_one_recording_in_order(store: Store, storage: Path) -> None:
    upload = store.uploads.begin("faults", 9, who="ann")
    append(store, upload.id, 0, b"a long ")
    assert not store.uploads.get(upload.id).is_whole
    with pytest.raises(Conflict, match="7 of its 9 bytes"):
        store.uploads.copy_to(upload.id, io.BytesIO())
    append(store, upload.id, 7, b"on")
    whole = io.BytesIO()
    store.uploads.copy_to(upload.id, whole)
    assert whole.getvalue() == b"a long on"
    store.uploads.delete(upload.id)
    with pytest.raises(UnknownName):
        store.uploads.get(upload.id)
    assert stored(storage) == []


def test_a_part_counts_at_its_own_place_alone(store: Store, storage: Path) -> None:
    upload = store.uploads.begin("faults", 6, who="ann")
    append(store, upload.id, 0, b"one")
    with pytest.raises(Conflict, match="3 bytes of the recording have come"):
        append(store, upload.id, 0, b"one")
    with pytest.raises(ClipTooLarge, match="announced with 6 bytes"):
        append(store, upload.id, 3, b"four")
    assert len(stored(storage)) == 1


def test_of_two_parts_for_one_place_one_counts(
    store: Store, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = store.uploads.begin("faults", 6, who="ann")
    put = type(store.uploads._blobs).put_file

    def overtaken(blobs: object, name: str, source: io.BytesIO) -> None:
        monkeypatch.undo()
        append(store, upload.id, 0, b"two")
        put(store.uploads._blobs, name, source)

    monkeypatch.setattr(type(store.uploads._blobs), "put_file", overtaken)
    with pytest.raises(Conflict):
        append(store, upload.id, 0, b"one")
    whole = io.BytesIO()
    append(store, upload.id, 3, b"end")
    store.uploads.copy_to(upload.id, whole)
    assert whole.getvalue() == b"twoend"
    assert len(stored(storage)) == 2


def test_a_caller_has_few_and_the_disk_has_room(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(module.OF_ONE):
        store.uploads.begin("faults", 9, who="ann")
    with pytest.raises(Overloaded, match="4 recordings of yours"):
        store.uploads.begin("faults", 9, who="ann")
    monkeypatch.setattr(module, "AT_ONCE", module.OF_ONE)
    with pytest.raises(Overloaded, match="4 recordings lie here"):
        store.uploads.begin("faults", 9, who="ben")
    store.uploads.begin("hearts", 9, who="ben")
    monkeypatch.setattr(store.uploads, "_disk", lambda: Disk(100, 50))
    with pytest.raises(NotReady, match="no room for 60 bytes"):
        store.uploads.begin("keywords", 60, who="ben")


def test_callers_without_a_key_leave_places_and_disk_to_those_with_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keys.add("ann", "contributor", who="admin")
    monkeypatch.setattr(module, "AT_ONCE", 2)
    monkeypatch.setattr(store.uploads, "_disk", lambda: Disk(1000, 200))
    for number in range(2):
        store.uploads.begin("faults", 20, who=f"10.0.0.{number}")
    with pytest.raises(Overloaded, match="2 recordings lie here"):
        store.uploads.begin("faults", 1, who="10.0.0.3")
    with pytest.raises(NotReady, match="with a key"):
        store.uploads.begin("hearts", 20, who="10.0.0.3")
    for who in ("ann", "admin"):
        store.uploads.begin("faults", 100, who=who)


def test_a_disk_that_others_have_filled_takes_no_part(
    store: Store, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = store.uploads.begin("faults", 6, who="ann")
    monkeypatch.setattr(store.uploads, "_disk", lambda: Disk(100, 7))
    with pytest.raises(NotReady, match="no room for 3 bytes"):
        append(store, upload.id, 0, b"one")
    assert stored(storage) == []


def test_what_nobody_goes_on_with_is_removed_unless_it_waits(store: Store, storage: Path) -> None:
    left, waits = (store.uploads.begin("faults", 3, who="ann") for _ in range(2))
    for upload in (left, waits):
        append(store, upload.id, 0, b"abc")
    store.jobs.add(Job(waits.id, "faults", "ann", "", {}, now()))
    orphan = storage / "parts" / "of-nobody"
    orphan.write_bytes(b"abc")
    long_ago = now() - timedelta(days=2)
    with store.uploads._database.write() as connection:
        connection.execute(update(uploads).values(expires_at=long_ago))
    for path in stored(storage):
        os.utime(path, (long_ago.timestamp(),) * 2)
    store.uploads.purge()
    assert [path.name.split("-")[0] for path in stored(storage)] == [waits.id]
    with store.uploads._database.write() as connection:
        connection.execute(update(analysis_jobs).values(state="failed"))
    store.uploads.purge()
    assert stored(storage) == []
