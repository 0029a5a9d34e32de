"""Recordings whose replica has ended in the middle of their analysis go to another.

A replica counts on in its job's row. Where that stands still, whoever worked on it is gone: the
job is queued again, with what was heard of it.
"""

import time

from data.store.store import Store

GONE_S = 15.0  # several beats, on a machine that is busy


class AbandonedJobs:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, tuple[int, float]] = {}  # by job: its beat, and since when it is that

    def waiting(self) -> set[str]:
        """The domains of which some recording waits for a replica."""
        now, seen, domains = time.monotonic(), {}, set()
        for job in self._store.jobs.unfinished():
            if job.state == "queued":
                domains.add(job.domain)
                continue
            beat, since = self._seen.get(job.id, (job.beat, now))
            if beat == job.beat and now - since >= GONE_S:
                self._store.jobs.release(job)
                domains.add(job.domain)
            else:
                seen[job.id] = (job.beat, since if beat == job.beat else now)
        self._seen = seen
        return domains
