"""abandoned_jobs.py: a job whose replica stands still is given to another, and no other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from data.database.schema import now
from data.store.analysis_jobs import Job, Progress
from data.store.store import Store
from serve_app.control import abandoned_jobs
from serve_app.control.abandoned_jobs import AbandonedJobs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/telltale.db", str(tmp_path / "blobs"))
    yield store
    store.close()


def test_what_stands_still_waits_for_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for job_id, domain in (("a", "faults"), ("b", "faults"), ("c", "hearts")):
        store.jobs.add(Job(job_id, domain, "ann", "", {}, now()))
    abandoned = AbandonedJobs(store)
    assert abandoned.waiting() == {"faults", "hearts"}
    lives, gone = store.jobs.claim("faults"), store.jobs.claim("faults")
    assert lives
    assert gone
    assert abandoned.waiting() == {"hearts"}
    monkeypatch.setattr(abandoned_jobs, "GONE_S", 0.0)
    store.jobs.beats(lives, Progress(1.0, None, "digest"))
    assert abandoned.waiting() == {"faults", "hearts"}
    states = {job.id: (job.state, job.attempts) for job in store.jobs.unfinished()}
    assert states == {"a": ("running", 0), "b": ("queued", 1), "c": ("queued", 0)}
