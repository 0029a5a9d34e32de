"""A retrain run goes one way, and each step is an event."""

import pytest

from data.database.schema import RunState
from data.errors import Conflict, UnknownName
from data.store.store import Store


def start(store: Store, run_id: str = "r1", domain: str = "faults") -> None:
    store.runs.start(run_id, domain=domain, mode="teach", reason="button", who="admin")


def test_a_run_is_followed_by_its_events(store: Store) -> None:
    start(store)
    store.runs.update("r1", state="running", who="job")
    store.events.add("epoch", subject="run:r1", who="job", domain="faults", detail={"epoch": 1})
    ended = store.runs.update("r1", state="succeeded", who="job", result={"version": "2"})
    assert store.runs.get("r1") == ended
    assert ended.finished_at is not None
    assert (ended.state, ended.result, ended.finished_at.tzname()) == (
        "succeeded",
        {"version": "2"},
        "UTC",
    )
    events = store.events.find(subject="run:r1")
    assert [event.kind for event in events] == ["queued", "started", "epoch", "finished"]
    assert events[-1].detail == {"state": "succeeded", "result": {"version": "2"}}


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_the_end_of_a_run_is_final(store: Store, end: RunState) -> None:
    start(store)
    store.runs.update("r1", state=end, who="job")
    assert store.runs.update("r1", state=end, who="job").state == end
    for other in {"running", "failed", "cancelled"} - {end}:
        with pytest.raises(Conflict, match=f"already {end}"):
            store.runs.update("r1", state=other, who="admin")  # type: ignore[arg-type]


def test_a_run_id_is_used_once(store: Store) -> None:
    start(store)
    with pytest.raises(Conflict, match="'r1'"):
        start(store)
    with pytest.raises(UnknownName, match="'r2'"):
        store.runs.get("r2")


def test_runs_are_listed_newest_first_and_unfinished_ones_apart(store: Store) -> None:
    for run_id, domain in (("r1", "faults"), ("r2", "keywords"), ("r3", "faults")):
        start(store, run_id, domain)
    store.runs.update("r3", state="cancelled", who="admin")
    assert [run.id for run in store.runs.find()] == ["r3", "r2", "r1"]
    assert [run.id for run in store.runs.find("faults", limit=1)] == ["r3"]
    assert [run.id for run in store.runs.unfinished()] == ["r2", "r1"]
    assert [run.id for run in store.runs.unfinished("faults")] == ["r1"]


def test_a_run_that_promotes_can_only_succeed(store: Store) -> None:
    start(store)
    store.runs.promoting("r1", {"version": "2"})
    for end in ("failed", "cancelled"):
        with pytest.raises(Conflict, match="promoting its version"):
            store.runs.update("r1", state=end, who="admin")
    assert store.runs.update("r1", state="succeeded", who="job", result={"version": "2"}).result


def test_a_run_that_was_given_up_promotes_nothing(store: Store) -> None:
    start(store)
    store.runs.update("r1", state="failed", who="curator", result={"message": "silent"})
    with pytest.raises(Conflict, match="already failed"):
        store.runs.promoting("r1", {"version": "2"})
    assert store.runs.get("r1").result == {"message": "silent"}


def test_a_sign_of_life_is_no_event(store: Store) -> None:
    store.runs.start("r1", domain="faults", mode="full", reason="", who="ann", trigger="command")
    before = store.events.find()
    for _ in range(3):
        store.runs.beat("r1")
    assert store.runs.get("r1").beat == 3
    assert store.events.find() == before
