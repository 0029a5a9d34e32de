"""Masks in the store: beside their clips, and as much a part of what was said as the label."""

from pathlib import Path

import pytest

from data.errors import Conflict, UnknownName
from data.store.clips.clip_rows import Clip, NewClip
from data.store.store import Store
from support.corrections import add_correction

ONE, OTHER = b"a mask", b"another mask"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path}/t.db", str(tmp_path / "blobs"))


def cracked(mask: bytes | None, state: str = "accepted") -> NewClip:
    return NewClip(
        b"a photograph",
        domain="cracks",
        label="crack" if mask else "no crack",
        group=None,
        state=state,  # type: ignore[arg-type]
        source="feedback",
        duration_s=0.0,
        sample_rate_hz=0,
        mask=mask,
    )


def add(store: Store, mask: bytes | None, state: str = "accepted") -> Clip:
    return store.clips.add(cracked(mask, state), who="ann")[0]


def correct(store: Store, clip: Clip, mask: bytes, state: str) -> str:
    return add_correction(
        store,
        domain="cracks",
        clip_sha256=clip.sha256,
        predicted="no crack",
        confidence=0.9,
        corrected="crack",
        version="1",
        state=state,  # type: ignore[arg-type]
        reason="",
        who="ann",
        mask=mask,
    ).receipt


def test_a_mask_is_kept_beside_its_photograph_and_read_by_its_digest(store: Store) -> None:
    clip = add(store, ONE)
    assert clip.mask is not None
    assert store.clips.read(clip.mask) == ONE
    assert store.clips.sweep(older_than_s=-1) == 0
    assert store.clips.get("cracks", clip.sha256).mask == clip.mask


def test_another_mask_contradicts_as_another_label_does(store: Store) -> None:
    add(store, ONE)
    add(store, ONE)
    with pytest.raises(Conflict, match="already known as 'crack'"):
        add(store, OTHER)


def test_an_accepted_correction_changes_the_mask_and_its_receipt_says_so(store: Store) -> None:
    clip = add(store, ONE)
    with pytest.raises(Conflict):
        add(store, OTHER, "quarantined")
    receipt = correct(store, clip, OTHER, "accepted")
    assert store.feedback.get(receipt).state == "quarantined"
    assert store.clips.sweep(older_than_s=-1) == 0  # it waits with its mask
    store.feedback.accept(receipt, who="admin")
    now = store.clips.get("cracks", clip.sha256)
    assert now.mask is not None
    assert store.clips.read(now.mask) == OTHER


def test_a_mask_drawn_anew_is_new_to_learn_though_the_label_is_the_same(store: Store) -> None:
    clip = add(store, ONE)
    first = store.snapshots.take("cracks", who="run")
    store.snapshots.mark_learnt(first.id, "2", {}, who="run")
    assert store.clips.count_new("cracks") == 0
    with pytest.raises(Conflict):
        add(store, OTHER)
    other = cracked(OTHER).mask_sha256
    store.clips.relabel("cracks", clip.sha256, "crack", who="admin", mask=other)
    assert store.clips.count_new("cracks") == 1
    second = store.snapshots.take("cracks", who="run")
    assert second.id != first.id
    assert [held.mask for held in second.clips] == [other]
    assert [held.mask for held in store.snapshots.get(first.id).clips] == [clip.mask]
    store.snapshots.mark_learnt(first.id, "3", {}, who="run")
    assert store.clips.count_new("cracks") == 1  # that run had the old mask
    store.snapshots.mark_learnt(second.id, "4", {}, who="run")
    assert store.clips.count_new("cracks") == 0


def test_only_the_receipt_with_the_mask_that_was_learnt_is_answered(store: Store) -> None:
    clip = add(store, ONE)
    mine, theirs = correct(store, clip, ONE, "accepted"), correct(store, clip, OTHER, "accepted")
    snapshot = store.snapshots.take("cracks", who="run")
    after = {clip.sha256: ("crack", 0.9)}
    store.snapshots.mark_learnt(snapshot.id, "2", after, who="run")
    assert store.feedback.get(mine).learnt_version == "2"
    assert store.feedback.get(theirs).learnt_version is None


def test_a_photograph_that_is_forgotten_takes_all_its_masks_along(store: Store) -> None:
    clip = add(store, ONE)
    with pytest.raises(Conflict):
        add(store, OTHER)
    receipt = correct(store, clip, OTHER, "quarantined")
    other = cracked(OTHER).mask_sha256
    assert clip.mask is not None
    assert other is not None
    store.clips.forget("cracks", clip.sha256, who="admin")
    assert store.feedback.get(receipt).mask is None
    for blob in (clip.sha256, clip.mask, other):
        with pytest.raises(UnknownName):
            store.clips.read(blob)
