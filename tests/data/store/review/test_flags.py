"""flags.py: what waits for review, on both databases."""

from data.database.schema import FlagKind
from data.store.clips.clip_rows import Clip
from data.store.store import Store
from support.inputs.uploads import new_clip


def add(store: Store, raw: bytes) -> Clip:
    return store.clips.add(new_clip(raw), who="anna")[0]


def put(store: Store, *found: tuple[str, FlagKind], kinds: tuple[FlagKind, ...]) -> int:
    rows = [(sha256, kind, "because", 0.5) for sha256, kind in found]
    return store.flags.put("faults", kinds, rows, who="ben")


def open_flags(store: Store) -> set[tuple[str, str]]:
    return {(flag.sha256, flag.kind) for flag in store.flags.find("faults")}


def test_a_check_puts_its_kinds_anew_and_leaves_the_others(store: Store) -> None:
    one, two = add(store, b"1").sha256, add(store, b"2").sha256
    assert put(store, (one, "label"), kinds=("label",)) == 1
    assert put(store, (one, "silent"), (two, "copy"), kinds=("silent", "copy")) == 2
    assert put(store, (two, "silent"), kinds=("silent", "copy")) == 1
    assert open_flags(store) == {(one, "label"), (two, "silent")}


def test_clips_that_are_not_kept_are_passed_over(store: Store) -> None:
    add(store, b"1")
    assert put(store, ("f" * 64, "silent"), kinds=("silent",)) == 0
    assert store.flags.find("keywords") == []


def test_what_was_dismissed_stays_so_until_the_label_changes(store: Store) -> None:
    clip = add(store, b"1")
    put(store, (clip.sha256, "label"), kinds=("label",))
    store.flags.dismiss("faults", clip.sha256, who="admin")
    assert put(store, (clip.sha256, "label"), kinds=("label",)) == 0
    assert open_flags(store) == set()
    store.clips.relabel("faults", clip.sha256, "fluid", who="admin")
    assert put(store, (clip.sha256, "label"), kinds=("label",)) == 1


def test_a_new_label_takes_the_flags_away_and_a_decision_does_not(store: Store) -> None:
    clip = add(store, b"1")
    put(store, (clip.sha256, "label"), kinds=("label",))
    store.clips.set_state("faults", clip.sha256, "quarantined", who="admin")
    assert open_flags(store) == {(clip.sha256, "label")}
    store.clips.relabel("faults", clip.sha256, "fluid", who="admin")
    assert open_flags(store) == set()


def test_a_forgotten_clip_takes_its_flags_along(store: Store) -> None:
    clip = add(store, b"1")
    put(store, (clip.sha256, "label"), kinds=("label",))
    store.clips.forget("faults", clip.sha256, who="admin")
    assert open_flags(store) == set()


def test_checks_and_dismissals_are_in_the_audit_trail(store: Store) -> None:
    clip = add(store, b"1")
    put(store, (clip.sha256, "label"), kinds=("label",))
    store.flags.dismiss("faults", clip.sha256, who="admin")
    (checked,) = store.events.find(subject="domain:faults")
    assert (checked.kind, checked.who, checked.detail["flags"]) == ("clips.checked", "ben", 1)
    last = store.events.find(subject=f"clip:{clip.sha256}")[-1]
    assert (last.kind, last.detail) == ("clip.flags_dismissed", {"kinds": ["label"]})
