"""What a second sender of the same bytes changes, on both databases."""

from dataclasses import replace

import pytest

from data.database.schema import ClipState
from data.errors import Conflict, UnknownName
from data.store.store import Store
from support.corrections import add_correction
from support.inputs.uploads import new_clip

Said = tuple[str | None, ClipState]


@pytest.mark.parametrize(
    ("first", "second", "then"),
    [
        (("normal", "accepted"), ("normal", "accepted"), ("normal", "accepted")),
        (("normal", "accepted"), (None, "accepted"), ("normal", "accepted")),
        (("normal", "accepted"), ("normal", "quarantined"), ("normal", "accepted")),
        (("normal", "accepted"), ("fluid", "rejected"), ("normal", "accepted")),
        (("normal", "quarantined"), ("normal", "quarantined"), ("normal", "quarantined")),
        (("normal", "quarantined"), ("normal", "accepted"), ("normal", "accepted")),
        (("normal", "quarantined"), ("fluid", "quarantined"), ("fluid", "quarantined")),
        (("normal", "quarantined"), ("fluid", "accepted"), ("fluid", "accepted")),
        ((None, "accepted"), ("fluid", "accepted"), ("fluid", "accepted")),
        ((None, "accepted"), ("fluid", "quarantined"), ("fluid", "quarantined")),
        ((None, "rejected"), ("fluid", "accepted"), ("fluid", "quarantined")),
        (("normal", "rejected"), ("normal", "accepted"), ("normal", "rejected")),
        (("normal", "rejected"), ("fluid", "accepted"), ("fluid", "quarantined")),
    ],
)
def test_a_second_claim_changes_only_what_it_may(
    store: Store, first: Said, second: Said, then: Said
) -> None:
    store.clips.add(new_clip(b"hum", *first), who="anna")
    clip, created = store.clips.add(new_clip(b"hum", *second), who="ben")
    assert (clip.label, clip.state, created) == (*then, False)
    assert store.clips.find("faults") == [clip]


@pytest.mark.parametrize("state", ["accepted", "quarantined"])
def test_an_accepted_label_is_contradicted_by_nobody_but_an_admin(
    store: Store, state: ClipState
) -> None:
    clip, _ = store.clips.add(new_clip(b"hum", "normal"), who="anna")
    with pytest.raises(Conflict, match="already known as 'normal'.*not stored as 'fluid'"):
        store.clips.add(new_clip(b"hum", "fluid", state), who="ben")
    assert store.clips.relabel("faults", clip.sha256, "fluid", who="admin").label == "fluid"


@pytest.mark.parametrize(
    ("kept", "first", "claimed", "second", "then"),
    [
        (None, "accepted", "pump 7", "accepted", "pump 7"),
        ("pump 7", "accepted", "pump 8", "accepted", "pump 7"),
        ("pump 7", "accepted", None, "accepted", "pump 7"),
        (None, "quarantined", "pump 7", "quarantined", "pump 7"),
        (None, "accepted", "pump 7", "quarantined", None),
        (None, "accepted", "pump 7", "rejected", None),
    ],
)
def test_a_claim_names_the_group_of_a_clip_that_has_none(
    store: Store,
    kept: str | None,
    first: ClipState,
    claimed: str | None,
    second: ClipState,
    then: str | None,
) -> None:
    store.clips.add(replace(new_clip(state=first), group=kept), who="anna")
    clip, _ = store.clips.add(replace(new_clip(state=second), group=claimed), who="ben")
    assert clip.group == then
    assert store.clips.find("faults") == [clip]


def test_a_group_is_named_whatever_is_said_of_the_label_and_settles_nothing(store: Store) -> None:
    clip, _ = store.clips.add(new_clip(label="normal"), who="anna")
    waiting = add_correction(
        store,
        domain="faults",
        clip_sha256=clip.sha256,
        predicted="normal",
        confidence=0.9,
        corrected="fluid",
        version="1",
        state="quarantined",
        reason="",
        who="anonymous",
    )
    with pytest.raises(Conflict):
        store.clips.add(replace(new_clip(label="fluid"), group="pump 7"), who="ben")
    assert store.clips.get("faults", clip.sha256) == replace(clip, group="pump 7")
    assert store.feedback.get(waiting.receipt).state == "quarantined"
    assert [event.kind for event in store.events.find(subject=f"clip:{clip.sha256}")] == [
        "clip.added",
        "clip.grouped",
    ]


def test_the_same_bytes_are_a_clip_of_each_domain(store: Store) -> None:
    _, first = store.clips.add(new_clip(b"hum", domain="faults"), who="anna")
    _, second = store.clips.add(new_clip(b"hum", "one", domain="keywords"), who="anna")
    assert (first, second) == (True, True)


def test_a_clip_without_a_label_cannot_be_accepted_later(store: Store) -> None:
    clip, _ = store.clips.add(new_clip(label=None, state="quarantined"), who="anna")
    with pytest.raises(Conflict, match="has no label yet"):
        store.clips.set_state("faults", clip.sha256, "accepted", who="admin")


def test_an_unknown_clip_is_named(store: Store) -> None:
    with pytest.raises(UnknownName, match="faults has no clip 'beef'"):
        store.clips.get("faults", "beef")
    with pytest.raises(UnknownName, match="'beef'"):
        store.clips.read("beef")


def test_every_change_of_a_clip_is_an_event(store: Store) -> None:
    clip, _ = store.clips.add(new_clip(state="quarantined"), who="anonymous")
    store.clips.set_state("faults", clip.sha256, "accepted", who="admin", reason="heard it")
    store.clips.relabel("faults", clip.sha256, "fluid", who="ben")
    store.clips.forget("faults", clip.sha256, who="carl")
    events = store.events.find(subject=f"clip:{clip.sha256}")
    assert [(event.kind, event.who) for event in events] == [
        ("clip.added", "anonymous"),
        ("clip.accepted", "admin"),
        ("clip.relabelled", "ben"),
        ("clip.forgotten", "carl"),
    ]
    assert events[1].detail["before"] == {"label": "normal", "state": "quarantined"}
    assert events[1].detail["reason"] == "heard it"
