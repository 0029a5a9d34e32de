"""kept_predictions.py: answers that are kept for a while, and their clips as long as they are."""

from dataclasses import replace

import pytest

from data.errors import DiskFull, UnknownName
from data.store.disk import Disk
from data.store.kept_predictions import NewPrediction
from data.store.store import Store
from support.inputs.uploads import new_clip

ANSWER = NewPrediction("faults", "1", "fluid", {"fluid": 0.6}, False, "unsure", "b" * 64, b"\0\0")


def keep(store: Store, raw: bytes, *, days: float = 1.0, most: int = 9, **changed: object) -> None:
    new = replace(ANSWER, **changed)  # type: ignore[arg-type]
    store.predictions.add(new, raw, with_clip=True, days=days, most=most)


def test_a_clip_is_kept_once_a_version_and_the_oldest_make_room(store: Store) -> None:
    for raw in (b"one", b"two", b"two", b"three"):
        keep(store, raw, most=2)
    keep(store, b"three", version="2", most=3)
    found = store.predictions.find("faults")
    assert [store.clips.read(one.clip_sha256) for one in found] == [b"three", b"three", b"two"]
    assert len(store.clips.blobs_in_use()) == 2


def test_near_the_end_of_the_disk_no_clip_is_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.predictions, "_disk", lambda: Disk(100, 7))
    keep(store, b"1")
    with pytest.raises(DiskFull):
        keep(store, b"three")
    assert len(store.predictions.find("faults")) == len(store.clips.blobs_in_use()) == 1


def test_what_is_due_is_gone_and_so_are_its_bytes_unless_somebody_else_needs_them(
    store: Store,
) -> None:
    keep(store, b"a" * 10, days=1e-9)
    keep(store, b"b" * 10, days=1e-9)
    sha256 = store.clips.add(new_clip(b"b" * 10), who="ann")[0].sha256
    assert store.predictions.find("faults") == [], "also before anybody has swept"
    store.predictions.purge()
    assert store.clips.sweep(older_than_s=0) == 0
    assert store.clips.blobs_in_use() == {sha256}
    assert store.clips.read(sha256)


def test_forgetting_a_clip_forgets_what_was_answered(store: Store) -> None:
    keep(store, b"one")
    (kept,) = store.predictions.find("faults")
    assert store.clips.forget("faults", kept.clip_sha256, who="ann") == []
    with pytest.raises(UnknownName, match="kept no prediction"):
        store.predictions.get("faults", kept.id)
    with pytest.raises(UnknownName):
        store.clips.forget("faults", kept.clip_sha256, who="ann")


def test_nobody_is_asked_about_what_somebody_has_said_already(store: Store) -> None:
    for raw in (b"one", b"two", b"three"):
        keep(store, raw)
    three, two, one = store.predictions.unasked("faults", "b" * 64, 9)
    store.predictions.labelled(two.id, "a-receipt")
    store.clips.add(new_clip(b"one"), who="ann")
    assert [row.id for row in store.predictions.unasked("faults", "b" * 64, 9)] == [three.id]
    assert store.predictions.get("faults", two.id).receipt == "a-receipt"
    assert store.predictions.get("faults", one.id).label == "fluid"
