"""A receipt tells what became of a correction, however that was decided."""

import pytest

from data.database.schema import FeedbackState
from data.errors import Conflict, DiskFull, UnknownName
from data.store.review.feedback import Feedback
from data.store.store import Store
from support.corrections import add_correction
from support.inputs.uploads import new_clip


def correct(
    store: Store,
    label: str,
    *,
    state: FeedbackState = "quarantined",
    raw: bytes = b"hum",
    who: str = "anonymous",
) -> Feedback:
    """What the service does with a correction: the clip first, then its receipt."""
    try:
        clip, _ = store.clips.add(new_clip(raw, label, state), who=who)
    except Conflict:
        clip = next(clip for clip in store.clips.find("faults") if clip.size_bytes == len(raw))
    return add_correction(
        store,
        domain="faults",
        clip_sha256=clip.sha256,
        predicted="electrical",
        confidence=0.7,
        corrected=label,
        version="3",
        state=state,
        reason="",
        who=who,
    )


def test_a_receipt_remembers_what_was_said(store: Store) -> None:
    said = correct(store, "fluid")
    assert store.feedback.get(said.receipt) == said
    assert (said.predicted, said.confidence, said.version) == ("electrical", 0.7, "3")
    assert (said.state, said.learnt_version, said.after_label) == ("quarantined", None, None)


def test_a_correction_that_cannot_be_written_leaves_no_clip(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Feedback:
        raise DiskFull

    monkeypatch.setattr("data.store.review.feedback.write_correction", full)
    clip = new_clip(b"hum", "fluid", "accepted")
    with pytest.raises(DiskFull):
        store.feedback.keep(
            clip,
            may_relabel=True,
            predicted="normal",
            confidence=1.0,
            corrected="fluid",
            version="1",
            state="accepted",
            reason="",
            who="anna",
        )
    assert store.clips.find("faults") == []


def test_an_unknown_receipt_is_refused(store: Store) -> None:
    with pytest.raises(UnknownName, match="no receipt 'x'"):
        store.feedback.get("x")


def test_accepting_a_correction_accepts_its_clip_with_that_label(store: Store) -> None:
    said = correct(store, "fluid")
    assert store.feedback.accept(said.receipt, who="admin").state == "accepted"
    clip = store.clips.get("faults", said.clip_sha256)
    assert (clip.label, clip.state, clip.who) == ("fluid", "accepted", "anonymous")


def test_one_decision_settles_every_receipt_of_the_clip(store: Store) -> None:
    right, same, wrong = (correct(store, label) for label in ("fluid", "fluid", "normal"))
    store.feedback.accept(right.receipt, who="admin")
    assert store.feedback.get(same.receipt).state == "accepted"
    loser = store.feedback.get(wrong.receipt)
    assert (loser.state, loser.reason) == ("rejected", "the clip is 'fluid'")
    assert store.feedback.find("faults", state="quarantined") == []


def test_a_trusted_upload_of_the_same_bytes_settles_the_receipts_too(store: Store) -> None:
    said = correct(store, "fluid")
    store.clips.add(new_clip(b"hum", "fluid"), who="contributor")
    assert store.feedback.get(said.receipt).state == "accepted"


def test_a_decision_on_the_clip_itself_settles_them_too(store: Store) -> None:
    said = correct(store, "fluid")
    store.clips.set_state("faults", said.clip_sha256, "rejected", who="admin", reason="speech")
    assert store.feedback.get(said.receipt).reason == "speech"
    assert store.feedback.get(said.receipt).state == "rejected"


def test_a_clip_rejected_before_it_was_learnt_tells_its_accepted_receipts_why(store: Store) -> None:
    said = correct(store, "fluid", state="accepted", who="contributor")
    clip = said.clip_sha256
    store.clips.set_state("faults", clip, "rejected", who="job", reason="a clip of the exam")
    told = store.feedback.get(said.receipt)
    assert (told.state, told.reason) == ("rejected", "a clip of the exam")


def test_a_receipt_that_was_learnt_stays_as_it_is(store: Store) -> None:
    said = correct(store, "fluid", state="accepted", who="contributor")
    taken = store.snapshots.take("faults", who="job")
    store.snapshots.mark_learnt(taken.id, "2", {said.clip_sha256: ("fluid", 0.9)}, who="job")
    store.clips.set_state("faults", said.clip_sha256, "rejected", who="admin", reason="speech")
    assert store.feedback.get(said.receipt).state == "accepted"


def test_rejecting_the_last_claim_rejects_the_clip(store: Store) -> None:
    first, second = correct(store, "fluid"), correct(store, "normal")
    store.feedback.reject(first.receipt, who="admin", reason="no")
    assert store.clips.get("faults", first.clip_sha256).state == "quarantined"
    store.feedback.reject(second.receipt, who="admin", reason="no")
    assert store.clips.get("faults", first.clip_sha256).state == "rejected"


def test_rejecting_a_claim_leaves_an_accepted_clip_alone(store: Store) -> None:
    store.clips.add(new_clip(b"hum", "normal"), who="anna")
    said = correct(store, "fluid")
    store.feedback.reject(said.receipt, who="admin")
    clip = store.clips.get("faults", said.clip_sha256)
    assert (clip.label, clip.state) == ("normal", "accepted")


def test_a_correction_is_accepted_exactly_when_its_clip_says_the_same(store: Store) -> None:
    trusted = correct(store, "normal", state="accepted", who="contributor")
    assert trusted.state == "accepted"
    assert correct(store, "normal").state == "accepted"
    doubted = correct(store, "fluid", state="accepted", who="contributor")
    assert (doubted.state, doubted.reason) == ("quarantined", "the clip is accepted as 'normal'")


def test_a_decided_receipt_is_not_decided_otherwise(store: Store) -> None:
    said = correct(store, "fluid")
    store.feedback.reject(said.receipt, who="admin")
    assert store.feedback.reject(said.receipt, who="admin").state == "rejected"
    with pytest.raises(Conflict, match="already rejected"):
        store.feedback.accept(said.receipt, who="admin")


def test_the_review_queue_is_worked_off_oldest_first(store: Store) -> None:
    queue = [correct(store, "fluid", raw=bytes([n])) for n in range(3)]
    assert store.feedback.find("faults", state="quarantined", limit=2) == queue[:2]
    assert store.feedback.find("faults", offset=2) == queue[2:]
    assert store.feedback.find("keywords") == []


def test_a_forgotten_clip_ends_the_waiting(store: Store) -> None:
    said = correct(store, "fluid")
    store.clips.forget("faults", said.clip_sha256, who="admin")
    after = store.feedback.get(said.receipt)
    assert (after.state, after.reason) == ("rejected", "the clip was forgotten")


def test_every_step_of_a_receipt_is_an_event(store: Store) -> None:
    said = correct(store, "fluid")
    store.feedback.accept(said.receipt, who="admin")
    events = store.events.find(subject=f"feedback:{said.receipt}")
    assert [(event.kind, event.who) for event in events] == [
        ("feedback.added", "anonymous"),
        ("feedback.accepted", "admin"),
    ]


def test_a_sender_sees_his_own_the_newest_first(store: Store) -> None:
    mine = [correct(store, "fluid", raw=bytes(n), who="ann").receipt for n in (1, 2, 3)]
    correct(store, "fluid", raw=bytes(4), who="bob")
    store.feedback.reject(mine[1], who="admin")
    found = store.feedback.of_sender("faults", "ann")
    assert [one.receipt for one in found] == mine[::-1]
    page = store.feedback.of_sender("faults", "ann", state="quarantined", limit=1, offset=1)
    assert [one.receipt for one in page] == mine[:1]
    assert store.feedback.of_sender("keywords", "ann") == []
