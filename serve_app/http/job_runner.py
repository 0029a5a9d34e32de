"""Analyses recordings that nobody waits for at a connection, one after another.

A replica looks for work when it has taken an order, and when the curator says that some waits
(`serve_app/control/abandoned_jobs.py`). While it works it counts on in the job's row; where it
finds there that the job is not its own any more, it was cancelled or given to another.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from data.domains.domain import of_sounds
from data.errors import DecoderKilled, NotReady
from data.store.disk import fullest
from models.analysis.sliding_windows import wishes_from
from serve_app.http import problems
from serve_app.http.recording_analysis import RecordingAnalysis, analysis_of
from serve_app.http.replica import Replica
from serve_app.http.threads import analysing, storing, writing
from serve_app.statuses import explain

if TYPE_CHECKING:
    from data.store.analysis_jobs import Job, Progress
    from data.store.resumable_uploads import Uploads

log = logging.getLogger("ray.serve")

BEAT_S = 2.0
KEEP_S = 20.0  # from what is kept for others to go on with to the next


@dataclass
class Work:
    """What is known of a job while it is worked on."""

    analysis: RecordingAnalysis | None = None
    kept_at: float = 0.0


class JobRunner:
    """Not safe between threads: everything happens on the replica's event loop."""

    def __init__(self, service: Replica) -> None:
        self._service = service
        self._working: asyncio.Task[None] | None = None
        self._is_to_look = False  # also what came while the last look found nothing
        self._put_off: set[str] = set()  # jobs that wait for another look, and keep no other

    def look(self) -> None:
        """Works on what is queued, until nothing is; returns at once."""
        self._is_to_look = True
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        store, domain = self._service.store, self._service.domain.name
        try:
            while self._is_to_look:
                self._is_to_look = False
                self._put_off.clear()
                while job := await writing(store.jobs.claim, domain, self._put_off):
                    await self._attempt(job)
        except Exception:  # the curator sees that nobody counts on, and says so to another
            log.exception("a replica could not look after the recordings that wait")

    async def _attempt(self, job: "Job") -> None:
        work, store = Work(kept_at=time.monotonic()), self._service.store
        analysed = asyncio.create_task(self._analyse(job, work))
        try:
            while not (await asyncio.wait([analysed], timeout=BEAT_S))[0]:
                later = await writing(store.jobs.beats, job, await _progress(job, work))
                if later is None:
                    return
                job = later
            await self._end(job, analysed)
        finally:
            analysed.cancel()
            await asyncio.wait([analysed])

    async def _end(self, job: "Job", analysed: "asyncio.Task[dict[str, Any]]") -> None:
        store = self._service.store
        try:
            await writing(store.jobs.end, job, result=analysed.result())
        except NotReady as error:  # for another replica, or later
            log.warning("job %s of request %s waits: %s", job.id, job.request_id, error)
            at_fault = isinstance(error, DecoderKilled)
            self._put_off.add(job.id)
            await writing(store.jobs.release, job, counts=at_fault)
        except Exception as error:
            status, title, detail = explain(error)
            if status == 500:
                log.error("job %s of request %s failed", job.id, job.request_id, exc_info=error)
            self._service.metrics.rejected(type(error).__name__)
            problem = problems.problem(status, title, detail, job.request_id)
            await writing(store.jobs.end, job, problem=problem)

    async def _analyse(self, job: "Job", work: Work) -> dict[str, Any]:
        service = self._service
        served, wishes = service.champion.served, wishes_from(job.wishes)
        known = job.heard if job.digest == served.digest else None
        domain = of_sounds(service.domain)
        async with (
            uploaded(service, job.id) as file,
            analysis_of(file, domain, served, wishes, known) as analysis,
        ):
            work.analysis = analysis
            async for _ in analysis.steps(service):
                pass
            return await analysing(analysis.body, job.request_id)


async def _progress(job: "Job", work: Work) -> "Progress":
    """Never less than another replica had told before."""
    from data.store.analysis_jobs import Progress  # and with it SQL

    analysis = work.analysis
    if analysis is None:
        return Progress(job.heard_s, job.done, "")
    heard = None
    if time.monotonic() - work.kept_at >= KEEP_S:
        work.kept_at = time.monotonic()
        heard = await analysing(analysis.analysis.kept)  # between two slices
    heard_s, done = max(job.heard_s, analysis.heard_s), analysis.done
    if done is not None and job.done is not None:
        done = max(done, job.done)
    return Progress(heard_s, done, analysis.served.digest, heard)


@asynccontextmanager
async def uploaded(service: Replica, upload_id: str) -> AsyncIterator[BinaryIO]:
    """An upload that is whole, as a nameless file on this machine. Raises NotReady where that has
    no room for it."""
    with tempfile.TemporaryFile() as file:
        await storing(_copy, service.store.uploads, upload_id, file)
        yield file


def _copy(uploads: "Uploads", upload_id: str, file: BinaryIO) -> None:
    disk = fullest([Path(tempfile.gettempdir())])
    if disk is None or disk.spare_bytes < uploads.get(upload_id).length:
        raise NotReady("the disk is nearly full; the recording is analysed once it is not")
    uploads.copy_to(upload_id, file)
