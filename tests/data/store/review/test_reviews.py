"""reviews.py: a decision upon a clip can be taken back whole, and that is recorded."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.database.schema import FlagKind
from data.errors import Conflict, UnknownName
from data.store.review.feedback import Feedback
from data.store.store import Store
from support.corrections import add_correction
from support.inputs.uploads import new_clip


def add(store: Store, raw: bytes = b"hum", label: str = "normal", state: str = "accepted") -> str:
    new = replace(new_clip(raw, label), state=state)  # type: ignore[arg-type]
    return store.clips.add(new, who="anna")[0].sha256


def said(store: Store, clip: str, label: str) -> Feedback:
    return add_correction(
        store,
        domain="faults",
        clip_sha256=clip,
        predicted="normal",
        confidence=0.5,
        corrected=label,
        version="1",
        state="quarantined",
        reason="without a key",
        who="anonymous",
    )


def flag(store: Store, clip: str, kind: FlagKind = "label") -> None:
    store.flags.put("faults", [kind], [(clip, kind, "because", 0.5)], who="check")


def seen(store: Store, clip: str) -> object:
    """All that an admin sees of it."""
    return (
        store.clips.get("faults", clip),
        [(flag.kind, flag.reason, flag.score) for flag in store.flags.find("faults", [clip])],
        [(one.receipt, one.state, one.reason) for one in store.feedback.find("faults")],
    )


@pytest.mark.parametrize("state", ["quarantined", "accepted"])
@pytest.mark.parametrize("did", ["accept", "reject", "relabel"])
def test_an_undo_brings_back_clip_flags_and_receipts(store: Store, did: str, state: str) -> None:
    clip = add(store, state=state)
    said(store, clip, "fluid")
    said(store, clip, "mechanical")
    flag(store, clip)
    before = seen(store, clip)
    if did == "relabel":
        store.reviews.relabel("faults", clip, "fluid", who="admin")
    else:
        getattr(store.reviews, did)("faults", clip, who="admin")
    assert seen(store, clip) != before
    store.reviews.undo("faults", clip, who="ben")
    assert seen(store, clip) == before
    last = store.events.find(subject=f"clip:{clip}")[-1]
    assert (last.kind, last.who, last.detail["did"]) == (
        "clip.review_undone",
        "ben",
        {"accept": "accepted", "reject": "rejected", "relabel": "relabelled"}[did],
    )


def test_reviews_are_undone_one_after_the_other(store: Store) -> None:
    clip = add(store)
    store.reviews.relabel("faults", clip, "fluid", who="admin")
    store.reviews.relabel("faults", clip, "mechanical", who="admin")
    assert store.reviews.undo("faults", clip, who="admin").label == "fluid"
    assert store.reviews.undo("faults", clip, who="admin").label == "normal"
    with pytest.raises(Conflict, match="no review"):
        store.reviews.undo("faults", clip, who="admin")
    store.reviews.reject("faults", clip, who="admin", reason="a door")
    undone = store.reviews.undo("faults", clip, who="admin")
    assert (undone.state, undone.reason, undone.who) == ("accepted", "", "anna")


def test_what_a_decision_upon_a_correction_did_is_undone_too(store: Store) -> None:
    clip = add(store)
    receipt = said(store, clip, "fluid").receipt
    before = seen(store, clip)
    for decide in (store.feedback.accept, store.feedback.reject):
        decide(receipt, who="admin")
        store.reviews.undo("faults", clip, who="admin")
        assert seen(store, clip) == before


def test_a_decision_that_changes_nothing_is_none_to_undo(store: Store) -> None:
    clip = add(store)
    store.reviews.relabel("faults", clip, "fluid", who="admin")
    store.reviews.accept("faults", clip, who="admin")
    assert store.reviews.undo("faults", clip, who="admin").label == "normal"


def test_what_has_changed_since_is_not_undone(store: Store) -> None:
    clip = add(store)
    store.reviews.relabel("faults", clip, "fluid", who="admin")
    store.clips.hold_back("faults", clip, "fluid", who="job", reason="it does harm")
    with pytest.raises(Conflict, match="has changed since it was relabelled: it is quarantined"):
        store.reviews.undo("faults", clip, who="admin")


def test_a_forgotten_clip_that_is_sent_again_has_no_past(store: Store) -> None:
    clip = add(store)
    store.reviews.relabel("faults", clip, "fluid", who="admin")
    store.clips.forget("faults", clip, who="admin")
    with pytest.raises(UnknownName):
        store.reviews.undo("faults", clip, who="admin")
    add(store, label="fluid")
    with pytest.raises(Conflict, match="no review"):
        store.reviews.undo("faults", clip, who="admin")


def test_what_a_version_has_learnt_stays_learnt_and_the_old_label_is_new(store: Store) -> None:
    clip = add(store)
    receipt = said(store, clip, "fluid").receipt
    store.feedback.accept(receipt, who="admin")
    snapshot = store.snapshots.take("faults", who="job")
    store.snapshots.mark_learnt(snapshot.id, "2", {clip: ("fluid", 0.9)}, who="job")
    assert store.clips.count_new("faults") == 0
    store.reviews.undo("faults", clip, who="admin")
    assert store.feedback.get(receipt).state == "accepted"
    assert store.clips.count_new("faults") == 1


def test_what_was_said_meanwhile_still_waits(store: Store) -> None:
    clip = add(store)
    store.reviews.relabel("faults", clip, "fluid", who="admin")
    receipt = said(store, clip, "mechanical").receipt
    flag(store, clip, "silent")
    store.reviews.undo("faults", clip, who="admin")
    assert store.feedback.get(receipt).state == "quarantined"
    assert [one.kind for one in store.flags.find("faults", [clip])] == ["silent"]


def test_a_mask_comes_back_while_its_bytes_are_there(store: Store, storage: Path) -> None:
    new = replace(new_clip(b"wall", "crack", domain="cracks"), mask=b"a mask")
    clip = store.clips.add(new, who="anna")[0].sha256
    store.reviews.relabel("cracks", clip, "no crack", who="admin")
    assert store.reviews.undo("cracks", clip, who="admin").mask == new.mask_sha256
    store.reviews.relabel("cracks", clip, "no crack", who="admin")
    store.clips.sweep(older_than_s=0)
    with pytest.raises(Conflict, match="mask"):
        store.reviews.undo("cracks", clip, who="admin")
