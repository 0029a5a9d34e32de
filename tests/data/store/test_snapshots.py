"""A snapshot is an exact list; what learnt from it is remembered."""

from datetime import UTC, datetime

import pytest

from data.database.schema import ClipState
from data.errors import UnknownName
from data.store.clips.clip_rows import Clip
from data.store.review.feedback import Feedback
from data.store.store import Store
from support.corrections import add_correction
from support.inputs.uploads import new_clip


def add(
    store: Store, raw: bytes, label: str | None = "normal", state: ClipState = "accepted"
) -> Clip:
    return store.clips.add(new_clip(raw, label, state), who="anna")[0]


def corrected(store: Store, clip: Clip) -> Feedback:
    return add_correction(
        store,
        domain=clip.domain,
        clip_sha256=clip.sha256,
        predicted="electrical",
        confidence=0.6,
        corrected=clip.label or "",
        version="1",
        state="accepted",
        reason="",
        who="anna",
    )


def test_a_snapshot_lists_the_accepted_labelled_clips_of_its_domain(store: Store) -> None:
    mine = [add(store, b"1"), add(store, b"2", "fluid")]
    add(store, b"3", state="quarantined")
    add(store, b"4", label=None)
    store.clips.add(new_clip(b"5", domain="keywords"), who="anna")
    taken = store.snapshots.take("faults", who="curator")
    assert list(taken.clips) == sorted(mine, key=lambda clip: clip.sha256)
    assert store.snapshots.get(taken.id) == taken


def test_the_same_list_is_the_same_snapshot(store: Store) -> None:
    clip = add(store, b"1")
    first = store.snapshots.take("faults", who="curator")
    assert store.snapshots.take("faults", who="curator") == first
    store.clips.relabel("faults", clip.sha256, "fluid", who="admin")
    assert store.snapshots.take("faults", who="curator").id != first.id
    assert len(store.events.find(subject=f"snapshot:{first.id}")) == 1


def test_a_snapshot_keeps_the_labels_of_its_time(store: Store) -> None:
    clip = add(store, b"1", "normal")
    taken = store.snapshots.take("faults", who="curator")
    store.clips.relabel("faults", clip.sha256, "fluid", who="admin")
    assert [clip.label for clip in store.snapshots.get(taken.id).clips] == ["normal"]


def test_domains_without_clips_have_snapshots_of_their_own(store: Store) -> None:
    ids = {store.snapshots.take(domain, who="curator").id for domain in ("faults", "keywords")}
    assert len(ids) == 2
    with pytest.raises(UnknownName, match="no snapshot 'x'"):
        store.snapshots.get("x")


def test_a_snapshot_of_a_domain_is_named_by_its_first_letters(store: Store) -> None:
    add(store, b"1")
    taken = store.snapshots.take("faults", who="curator")
    assert store.snapshots.of("faults", taken.id[:12]) == taken
    with pytest.raises(UnknownName, match="is one of faults, not of keywords"):
        store.snapshots.of("keywords", taken.id[:12])


def test_clips_are_new_until_a_version_learnt_them_with_their_label(store: Store) -> None:
    clip = add(store, b"1")
    add(store, b"2", state="quarantined")
    assert store.clips.count_new("faults") == 1
    taken = store.snapshots.take("faults", who="curator")
    assert store.clips.count_new("faults") == 1
    store.snapshots.mark_learnt(taken.id, "2", {}, who="job")
    assert store.clips.count_new("faults") == 0
    store.clips.relabel("faults", clip.sha256, "fluid", who="admin")
    assert store.clips.count_new("faults") == 1


def test_new_clips_are_counted_since_a_moment(store: Store) -> None:
    add(store, b"1")
    waiting = add(store, b"2", state="quarantined")
    moment = datetime.now(UTC)
    assert store.clips.count_new("faults", since=moment) == 0
    store.clips.set_state("faults", waiting.sha256, "accepted", who="admin")
    assert store.clips.count_new("faults", since=moment) == 1
    assert store.clips.count_new("faults") == 2


def test_a_receipt_names_the_snapshot_then_the_first_version_and_its_answer(store: Store) -> None:
    clip = add(store, b"1", "fluid")
    said = corrected(store, clip)
    taken = store.snapshots.take("faults", who="curator")
    assert store.feedback.get(said.receipt).snapshot == taken.id
    store.snapshots.mark_learnt(taken.id, "2", {}, who="job")  # refused: it answers nobody
    assert store.feedback.get(said.receipt).learnt_version is None
    store.snapshots.mark_learnt(taken.id, "3", {clip.sha256: ("fluid", 0.9)}, who="job")
    store.snapshots.mark_learnt(taken.id, "4", {clip.sha256: ("normal", 0.5)}, who="job")
    told = store.feedback.get(said.receipt)
    assert (told.state, told.snapshot, told.learnt_version) == ("accepted", taken.id, "3")
    assert (told.after_label, told.after_confidence) == ("fluid", 0.9)


def test_a_receipt_that_was_only_heard_is_told_of_the_version_that_learnt_it(store: Store) -> None:
    clip = add(store, b"1", "fluid")
    said = corrected(store, clip)
    taken = store.snapshots.take("faults", who="curator")
    for version, answer in (("2", "normal"), ("3", "electrical"), ("4", "fluid"), ("5", "normal")):
        store.snapshots.mark_learnt(taken.id, version, {clip.sha256: (answer, 0.9)}, who="job")
        told = store.feedback.get(said.receipt)
        expected = ("2", "normal") if version < "4" else ("4", "fluid")
        assert (told.learnt_version, told.after_label) == expected
    fixed = [event.detail["fixed"] for event in store.events.find() if event.kind == "model.learnt"]
    assert fixed == [0, 0, 1, 0]


def test_a_receipt_is_not_told_of_a_label_it_did_not_give(store: Store) -> None:
    clip = add(store, b"1", "fluid")
    said = corrected(store, clip)
    store.clips.relabel("faults", clip.sha256, "normal", who="admin")
    taken = store.snapshots.take("faults", who="curator")
    store.snapshots.mark_learnt(taken.id, "2", {clip.sha256: ("normal", 0.9)}, who="job")
    told = store.feedback.get(said.receipt)
    assert (told.snapshot, told.learnt_version) == (None, None)


def test_forgetting_lists_the_versions_that_learnt_oldest_first(store: Store) -> None:
    clip, other = add(store, b"1"), add(store, b"2")
    taken = store.snapshots.take("faults", who="curator")
    for version in ("9", "10", "9"):
        store.snapshots.mark_learnt(taken.id, version, {}, who="job")
    assert store.clips.forget("faults", clip.sha256, who="admin") == ["9", "10"]
    event = store.events.find(subject=f"clip:{clip.sha256}")[-1]
    assert (event.kind, event.detail["versions"]) == ("clip.forgotten", ["9", "10"])
    left = store.snapshots.get(taken.id)
    assert (left.clips, left.forgotten) == ((other,), 1)


def test_a_clip_that_was_held_back_is_learnt_by_no_later_version(store: Store) -> None:
    held, other = add(store, b"1"), add(store, b"2")
    said = corrected(store, held)
    first = store.snapshots.take("faults", who="curator")
    store.snapshots.mark_learnt(first.id, "2", {held.sha256: ("normal", 0.9)}, who="job")
    assert store.feedback.get(said.receipt).learnt_version == "2"
    store.clips.hold_back("faults", held.sha256, "normal", who="job", reason="it does harm")
    waits = store.feedback.get(said.receipt)
    assert (waits.state, waits.reason) == ("quarantined", "it does harm")
    assert (waits.learnt_version, waits.after_label) == (None, None)
    store.snapshots.mark_learnt(
        first.id, "3", {other.sha256: ("normal", 0.9)}, who="job", left_out=[held.sha256]
    )
    assert store.clips.count_new("faults") == 0, "no version that serves has it to unlearn"
    assert store.clips.forget("faults", held.sha256, who="admin") == ["2"]
    assert store.clips.forget("faults", other.sha256, who="admin") == ["2", "3"]


def test_a_clip_that_comes_back_is_in_the_snapshot_again(store: Store) -> None:
    clip = add(store, b"1")
    first = store.snapshots.take("faults", who="curator")
    store.clips.forget("faults", clip.sha256, who="admin")
    add(store, b"1")
    again = store.snapshots.take("faults", who="curator")
    assert (again.id, len(again.clips), again.forgotten) == (first.id, 1, 0)


def test_learning_is_an_event_of_the_model(store: Store) -> None:
    labels = {b"1": "fluid", b"2": "normal", b"3": "electrical"}  # the last as it was answered
    clips = [add(store, raw, label) for raw, label in labels.items()]
    for clip in clips:
        corrected(store, clip)
    taken = store.snapshots.take("faults", who="curator")
    after = {clip.sha256: ("fluid", 0.9) for clip in clips}
    store.snapshots.mark_learnt(taken.id, "2", after, who="job")
    (event,) = store.events.find(subject="model:faults:2")
    assert (event.kind, event.who, event.domain) == ("model.learnt", "job", "faults")
    told = {"snapshot": taken.id, "clips": 3, "corrections": 2, "fixed": 1}
    assert event.detail == told


def test_a_clip_that_was_left_out_was_not_learnt(store: Store) -> None:
    kept, refused = add(store, b"1"), add(store, b"2")
    taken = store.snapshots.take("faults", who="curator")
    store.snapshots.mark_learnt(taken.id, "2", {}, who="job", left_out=[refused.sha256])
    assert store.clips.count_new("faults") == 1
    (event,) = store.events.find(subject="model:faults:2")
    assert event.detail["clips"] == 1
    store.clips.set_state("faults", kept.sha256, "rejected", who="admin")
    assert store.clips.count_new("faults") == 2  # one is to be learnt, one to be unlearnt


def test_a_snapshot_is_named_by_its_first_letters(store: Store) -> None:
    add(store, b"1")
    first = store.snapshots.take("faults", who="curator")
    other = store.snapshots.take("keywords", who="curator")
    assert store.snapshots.named(first.id[:8]) == first
    with pytest.raises(UnknownName, match="several snapshots begin with ''"):
        store.snapshots.named("")
    with pytest.raises(UnknownName, match="no snapshot '%'"):
        store.snapshots.named("%")
    store.snapshots.mark_learnt(first.id, "2", {}, who="job")
    (row,) = store.snapshots.find("faults")
    assert (row.id, row.size, row.versions) == (first.id, 1, ("2",))
    assert [row.id for row in store.snapshots.find("keywords")] == [other.id]


def test_what_changed_since_a_snapshot_is_told(store: Store) -> None:
    relabelled, rejected = add(store, b"1"), add(store, b"2")
    taken = store.snapshots.take("faults", who="curator")
    store.clips.relabel("faults", relabelled.sha256, "fluid", who="admin")
    store.clips.set_state("faults", rejected.sha256, "rejected", who="admin")
    came = add(store, b"3")
    found = store.snapshots.since(taken.id)
    assert [clip.sha256 for clip in found.added] == [came.sha256]
    assert [clip.sha256 for clip in found.removed] == [rejected.sha256]
    assert [(before.label, after.label) for before, after in found.relabelled] == [
        ("normal", "fluid")
    ]


def test_restoring_makes_the_same_snapshot_again(store: Store) -> None:
    relabelled, rejected = add(store, b"1"), add(store, b"2")
    add(store, b"4", "electrical")
    taken = store.snapshots.take("faults", who="curator")
    store.clips.relabel("faults", relabelled.sha256, "fluid", who="admin")
    store.clips.set_state("faults", rejected.sha256, "rejected", who="admin")
    came = add(store, b"3")
    planned = store.snapshots.since(taken.id).turned_round.counts
    made = store.snapshots.restore(taken.id, who="admin")
    assert made.counts == planned == {"added": 1, "removed": 1, "relabelled": 1}
    assert store.snapshots.take("faults", who="curator").id == taken.id
    waits = store.clips.get("faults", came.sha256)
    assert (waits.state, waits.label) == ("quarantined", "normal")
    assert taken.id[:12] in waits.reason
    assert store.snapshots.restore(taken.id, who="admin").counts == dict.fromkeys(planned, 0)


def test_restoring_is_in_the_audit_trail(store: Store) -> None:
    clip = add(store, b"1")
    gone = add(store, b"2")
    taken = store.snapshots.take("faults", who="curator")
    store.clips.relabel("faults", clip.sha256, "fluid", who="admin")
    store.clips.forget("faults", gone.sha256, who="admin")
    store.snapshots.restore(taken.id, who="ben")
    event = store.events.find(subject=f"snapshot:{taken.id}")[-1]
    assert (event.kind, event.who) == ("snapshot.restored", "ben")
    assert event.detail == {"added": 0, "removed": 0, "relabelled": 1, "forgotten": 1}
    last = store.events.find(subject=f"clip:{clip.sha256}")[-1]
    assert (last.kind, last.detail["before"]) == (
        "clip.restored",
        {"label": "fluid", "state": "accepted"},
    )
