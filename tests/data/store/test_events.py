"""Who follows the events misses none, and sees only what was asked for."""

import threading

import pytest

from data.store.events import somebody
from data.store.store import Store


def test_an_event_says_who_did_what_to_what_and_when(store: Store) -> None:
    number = store.events.add(
        "promoted", subject="model:faults:2", who="anna", domain="faults", detail={"from": "1"}
    )
    (event,) = store.events.find()
    assert (event.id, event.kind, event.subject) == (number, "promoted", "model:faults:2")
    assert (event.who, event.domain, event.detail) == ("anna", "faults", {"from": "1"})
    assert event.at.tzname() == "UTC"


def test_events_are_found_by_subject_domain_and_what_was_seen(store: Store) -> None:
    seen = store.events.add("a", subject="run:1", who="x", domain="faults")
    store.events.add("b", subject="run:2", who="x", domain="keywords")
    store.events.add("c", subject="run:1", who="x", domain="faults")
    assert [event.kind for event in store.events.find(subject="run:1")] == ["a", "c"]
    assert [event.kind for event in store.events.find(domain="keywords")] == ["b"]
    assert [event.kind for event in store.events.find(after=seen)] == ["b", "c"]
    assert [event.kind for event in store.events.find(limit=1)] == ["a"]


def test_a_follower_of_many_writers_misses_no_event(store: Store) -> None:
    def write() -> None:
        for _ in range(10):
            store.events.add("step", subject="run:1", who="job")

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    followed: list[int] = []
    while len(followed) < 40:
        over = not any(writer.is_alive() for writer in writers)  # before the look, not after
        after = followed[-1] if followed else 0
        new = [event.id for event in store.events.find(subject="run:1", after=after)]
        followed.extend(new)
        if over and not new:
            break
    assert len(followed) == 40


def test_a_user_without_a_name_is_known_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert somebody().startswith("user ")


def test_the_newest_events_of_a_domain_and_of_the_service_come_in_pages(store: Store) -> None:
    for kind, domain in (
        ("clip.added", "faults"),
        ("clip.added", "keywords"),
        ("key.added", None),
        ("clips.checked", "faults"),
        ("clip.rejected", "faults"),
    ):
        store.events.add(kind, subject="x", who="ann", domain=domain)
    every = store.events.latest("faults")
    kinds = [event.kind for event in every]
    assert kinds == ["clip.rejected", "clips.checked", "key.added", "clip.added"]
    assert store.events.latest("faults", limit=2, before=every[1].id) == every[2:]
    assert store.events.latest("faults", kind="clip") == [every[0], every[3]]
    assert store.events.latest("faults", kind="key.added") == [every[2]]
    assert store.events.latest("faults", kind="k_y") == []


def test_events_are_found_by_time(store: Store) -> None:
    for _ in range(3):
        store.events.add("a", subject="x", who="ann", domain="faults")
    third, second, first = store.events.latest("faults")
    assert store.events.latest("faults", since=second.at) == [third, second]
    assert store.events.latest("faults", until=second.at) == [first]
