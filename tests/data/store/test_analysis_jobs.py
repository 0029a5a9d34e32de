"""analysis_jobs.py: a job is one replica's at a time, and its end is final."""

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from data.database.schema import analysis_jobs, now, uploads
from data.errors import UnknownName
from data.store import analysis_jobs as module
from data.store.analysis_jobs import Job, Progress
from data.store.store import Store

pytest_plugins = ["support.databases"]

HEARD = Progress(12.5, 0.25, "a-digest", b"what it heard")


@pytest.fixture
def job(store: Store) -> Job:
    upload = store.uploads.begin("faults", 3, who="ann")
    store.uploads.append(upload.id, 0, io.BytesIO(b"abc"), 3)
    return store.jobs.add(Job(upload.id, "faults", "ann", "r-1", {"top_n": ["3"]}, now()))


def test_a_job_is_claimed_once_in_order(store: Store, job: Job) -> None:
    store.jobs.add(Job("another", "faults", "ann", "", {}, now()))
    assert store.jobs.claim("hearts") is None
    claimed = [store.jobs.claim("faults") for _ in range(3)]
    assert [each and each.id for each in claimed] == [job.id, "another", None]


def test_callers_take_turns(store: Store, job: Job) -> None:
    others = [("ann-2", "ann"), ("ann-3", "ann"), ("ben-1", "ben")]
    for number, (name, who) in enumerate(others, 1):
        store.jobs.add(Job(name, "faults", who, "", {}, now() + timedelta(seconds=number)))
    claimed = [store.jobs.claim("faults") for _ in range(4)]
    assert [each and each.id for each in claimed] == [job.id, "ben-1", "ann-2", "ann-3"]


def test_of_those_that_have_ended_a_caller_keeps_the_newest(
    store: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_OF_ONE", 2)
    monkeypatch.setattr(module, "MOST_KEPT", 4)

    def ended(name: str, who: str, domain: str = "faults") -> None:
        store.jobs.add(Job(name, domain, who, "", {}, now()))
        store.jobs.cancel(name)

    def kept() -> set[str]:
        with store.jobs._database.read() as connection:
            return set(connection.execute(select(analysis_jobs.c.id)).scalars())

    for name in ("a", "b", "c", "d"):
        ended(name, "ann")
    ended("elsewhere", "ann", "hearts")
    assert kept() == {job.id, "b", "c", "d", "elsewhere"}
    for number in range(4):
        ended(f"ben-{number}", f"ben-{number}")
    assert kept() == {job.id, "d", "ben-0", "ben-1", "ben-2", "ben-3", "elsewhere"}


def test_who_looks_does_not_read_what_was_heard(store: Store, job: Job) -> None:
    held = store.jobs.claim("faults")
    assert held
    store.jobs.beats(held, HEARD)
    seen = store.jobs.get(job.id)
    assert (seen.heard_s, seen.heard) == (12.5, None)


def test_an_order_that_comes_twice_is_one_job(store: Store, job: Job) -> None:
    again = Job(job.id, "faults", "ann", "r-2", {}, now())
    assert store.jobs.add(again).request_id == "r-1"


def test_who_goes_on_has_what_was_heard(store: Store, job: Job) -> None:
    held = store.jobs.claim("faults")
    assert held
    later = store.jobs.beats(held, HEARD)
    assert later
    store.jobs.release(later)
    assert store.jobs.beats(later, HEARD) is None, "it is another's now"
    store.jobs.end(later, result={"events": []})
    taken = store.jobs.claim("faults")
    assert taken
    assert (taken.state, taken.heard, taken.digest) == ("running", b"what it heard", "a-digest")
    assert (taken.heard_s, taken.done, taken.attempts) == (12.5, 0.25, 1)
    store.jobs.end(taken, result={"events": []})
    ended = store.jobs.get(job.id)
    assert (ended.state, ended.result, ended.heard) == ("succeeded", {"events": []}, None)
    with pytest.raises(UnknownName):
        store.uploads.get(job.id)


def test_one_that_has_counted_on_is_not_taken_from_its_holder(store: Store, job: Job) -> None:
    held = store.jobs.claim("faults")
    assert held
    (seen,) = store.jobs.unfinished()
    later = store.jobs.beats(held, HEARD)
    store.jobs.release(seen)
    assert later
    assert store.jobs.beats(later, HEARD) is not None


def test_what_is_cancelled_takes_nothing_more(store: Store, job: Job) -> None:
    held = store.jobs.claim("faults")
    assert held
    assert store.jobs.cancel(job.id).state == "cancelled"
    assert store.jobs.beats(held, HEARD) is None
    store.jobs.end(held, result={"events": []})
    assert store.jobs.get(job.id).result is None
    with pytest.raises(UnknownName):
        store.uploads.get(job.id)


def test_what_ends_replicas_is_given_up(store: Store, job: Job) -> None:
    for _ in range(3):
        held = store.jobs.claim("faults")
        assert held
        store.jobs.release(held)
    ended = store.jobs.get(job.id)
    assert ended.state == "failed"
    assert ended.problem
    assert "3 times" in str(ended.problem["detail"])
    assert store.jobs.claim("faults") is None


def test_a_long_one_that_is_heard_farther_by_each_replica_is_not_given_up(
    store: Store, job: Job
) -> None:
    for number in range(1, 6):
        held = store.jobs.claim("faults")
        assert held
        later = store.jobs.beats(held, replace(HEARD, heard_s=100.0 * number))
        assert later
        store.jobs.release(later)
    assert (store.jobs.get(job.id).state, store.jobs.get(job.id).attempts) == ("queued", 1)


def test_one_that_ends_each_replica_at_the_same_place_is_given_up(store: Store, job: Job) -> None:
    for _ in range(4):
        held = store.jobs.claim("faults")
        if held is None:
            break
        later = store.jobs.beats(held, HEARD)
        assert later
        store.jobs.release(later)
    assert store.jobs.get(job.id).state == "failed"


def test_what_was_no_fault_of_the_recording_does_not_count_against_it(
    store: Store, job: Job
) -> None:
    for _ in range(5):
        held = store.jobs.claim("faults")
        assert held
        store.jobs.release(held, counts=False)
    assert (store.jobs.get(job.id).state, store.jobs.get(job.id).attempts) == ("queued", 0)


def test_what_nobody_analyses_does_not_lie_here_for_ever(store: Store, job: Job) -> None:
    def age(days: int) -> None:
        then = now() - timedelta(days=days)
        with store.jobs._database.write() as connection:
            connection.execute(update(analysis_jobs).values(created_at=then))
            connection.execute(update(uploads).values(expires_at=then))
        store.jobs.purge()
        store.uploads.purge()

    age(6)
    assert store.jobs.get(job.id).state == "queued"
    assert store.uploads.get(job.id).is_whole
    age(8)
    for get in (store.jobs.get, store.uploads.get):
        with pytest.raises(UnknownName):
            get(job.id)


def test_what_has_ended_is_forgotten_in_time(store: Store, job: Job) -> None:
    store.jobs.purge()
    store.jobs.cancel(job.id)
    with store.jobs._database.write() as connection:
        connection.execute(update(analysis_jobs).values(expires_at=now() - timedelta(seconds=1)))
    store.jobs.purge()
    with pytest.raises(UnknownName, match="there is no job"):
        store.jobs.get(job.id)
