"""Recordings that are analysed behind the answer: queued, running, ended; the end is final.

Whichever replica has time claims a queued job and works on it; `beat` counts on while it lives, and
is also its ticket: a job that was cancelled, or given to another, takes nothing more from it. What
it has heard lies in the row now and then, so that another goes on from there. A job has the id of
its upload, whose bytes go when it ends.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from data.database.database import Database
from data.database.schema import Detail, RunState, analysis_jobs, fields_of, now, uploads
from data.errors import UnknownName
from data.store.resumable_uploads import OPEN, Uploads

KEPT = timedelta(days=1)  # once it has ended
LONGEST = timedelta(days=7)  # until then
KEPT_OF_ONE, MOST_KEPT = 500, 5_000  # that have ended, of a caller and of a domain: the newest
ATTEMPTS = 3  # what ended so many replicas would end the next one, too
GIVEN_UP: Detail = {
    "status": 500,
    "title": "Internal error",
    "detail": f"what analysed it was ended {ATTEMPTS} times; the log has more",
}


@dataclass(frozen=True)
class Job:
    id: str
    domain: str
    who: str
    request_id: str
    wishes: dict[str, list[str]]
    created_at: datetime
    state: RunState = "queued"
    beat: int = 0
    attempts: int = 0
    heard_s: float = 0.0
    done: float | None = None
    heard: bytes | None = None
    digest: str | None = None
    result: Detail | None = None
    problem: Detail | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Progress:
    """`heard` by the model of this digest: what another would go on with, where it is worth it."""

    heard_s: float
    done: float | None
    digest: str
    heard: bytes | None = None


_SELECT = select(*fields_of(analysis_jobs, Job))
_LARGE = ("heard", "result")
_LIGHT = select(*(each for each in fields_of(analysis_jobs, Job) if each.key not in _LARGE))
_TOLD = select(*(each for each in fields_of(analysis_jobs, Job) if each.key != "heard"))


class AnalysisJobs:
    def __init__(self, database: Database, uploads: Uploads) -> None:
        self._database = database
        self._uploads = uploads

    def add(self, new: Job) -> Job:
        """The one that there is already, where an order comes twice. The oldest that have ended
        make room, or a caller could fill the database with answers."""
        with self._database.write() as connection:
            if (known := _find(connection, new.id)) is not None:
                return known
            of_domain = analysis_jobs.c.domain == new.domain
            _keep_newest(connection, of_domain & (analysis_jobs.c.who == new.who), KEPT_OF_ONE)
            _keep_newest(connection, of_domain, MOST_KEPT)
            connection.execute(insert(analysis_jobs).values(vars(new)))
        return new

    def get(self, job_id: str) -> Job:
        """Without what was heard of it; raises UnknownName."""
        with self._database.read() as connection:
            this = connection.execute(_TOLD.where(analysis_jobs.c.id == job_id))
            row = this.mappings().one_or_none()
            return _must_be(None if row is None else Job(**row), job_id)

    def unfinished(self) -> list[Job]:
        """Without what was heard of them."""
        with self._database.read() as connection:
            rows = connection.execute(_LIGHT.where(analysis_jobs.c.state.in_(OPEN)))
            return [Job(**row) for row in rows.mappings()]

    def claim(self, domain: str, but: Collection[str] = ()) -> Job | None:
        """The one that waits longest, for whoever asks, callers in turns; None where none does
        but those that he could not work on."""
        queued = (analysis_jobs.c.domain == domain) & (analysis_jobs.c.state == "queued")
        oldest = select(analysis_jobs.c.id).where(queued, analysis_jobs.c.id.not_in(but))
        oldest = oldest.order_by(_before_it(domain), analysis_jobs.c.created_at)
        with self._database.read() as connection:  # without the lock, as long as there is none
            if connection.execute(oldest.limit(1)).scalar() is None:
                return None
        with self._database.write() as connection:
            job_id = connection.execute(oldest.limit(1)).scalar()
            if job_id is None:
                return None
            _change(connection, job_id, state="running", beat=analysis_jobs.c.beat + 1)
            return _known(connection, job_id)

    def beats(self, job: Job, progress: Progress) -> Job | None:
        """The job with its next ticket; None where it is no longer the holder's. Where more of it
        was heard, it has ended nobody."""
        farther = progress.heard is not None and progress.heard_s > job.heard_s
        attempts = 0 if farther else job.attempts
        changes: dict[str, object] = {
            "heard_s": progress.heard_s,
            "done": progress.done,
            "beat": job.beat + 1,
            "attempts": attempts,
        }
        if progress.heard is not None:
            changes |= {"heard": progress.heard, "digest": progress.digest}
        with self._database.write() as connection:
            if not _is_held(connection, job):
                return None
            _change(connection, job.id, **changes)
        return replace(job, beat=job.beat + 1, attempts=attempts)

    def end(self, job: Job, *, result: Detail | None = None, problem: Detail | None = None) -> None:
        """By its holder; nothing happens where it is another's by now."""
        with self._database.write() as connection:
            if not _is_held(connection, job):
                return
            state: RunState = "failed" if result is None else "succeeded"
            _end(connection, job.id, state, result=result, problem=problem)
        self._uploads.delete(job.id)

    def cancel(self, job_id: str) -> Job:
        """Also of one that has ended: its result is forgotten. Raises UnknownName."""
        with self._database.write() as connection:
            _known(connection, job_id)
            _end(connection, job_id, "cancelled", result=None, problem=None)
            job = _known(connection, job_id)
        self._uploads.delete(job_id)
        return job

    def release(self, job: Job, *, counts: bool = True) -> None:
        """For another, where its holder has not counted on since; or the end, after too many that
        count against it."""
        attempts = job.attempts + counts
        given_up = attempts >= ATTEMPTS
        with self._database.write() as connection:
            if not _is_held(connection, job):
                return
            _change(connection, job.id, state="queued", attempts=attempts)
            if given_up:
                _end(connection, job.id, "failed", result=None, problem=GIVEN_UP)
        if given_up:
            self._uploads.delete(job.id)

    def leave_out_recordings(self) -> None:
        """Of a copy of the database without their bytes: neither they nor what waits for them."""
        with self._database.write() as connection:
            connection.execute(delete(analysis_jobs).where(analysis_jobs.c.state.in_(OPEN)))
            connection.execute(delete(uploads))

    def purge(self) -> None:
        """Also of what nobody analyses, as where its domain is served no more: it would keep its
        recording for ever."""
        due = analysis_jobs.c.expires_at <= now()
        left = analysis_jobs.c.state.in_(OPEN) & (analysis_jobs.c.created_at <= now() - LONGEST)
        with self._database.write() as connection:
            connection.execute(delete(analysis_jobs).where(due | left))


def _before_it(domain: str) -> ColumnElement[int]:
    """How many earlier ones of the same caller have not ended."""
    other = analysis_jobs.alias()
    earlier = (other.c.domain == domain) & (other.c.created_at < analysis_jobs.c.created_at)
    open_ = other.c.state.in_(OPEN) & (other.c.who == analysis_jobs.c.who)
    return select(func.count()).select_from(other).where(earlier, open_).scalar_subquery()


def _keep_newest(connection: Connection, which: ColumnElement[bool], most: int) -> None:
    """Of those that have ended."""
    ended = select(analysis_jobs.c.id).where(which, analysis_jobs.c.state.not_in(OPEN))
    older = ended.order_by(analysis_jobs.c.created_at.desc()).offset(most)
    connection.execute(delete(analysis_jobs).where(analysis_jobs.c.id.in_(older)))


def _find(connection: Connection, job_id: str) -> Job | None:
    this = _SELECT.where(analysis_jobs.c.id == job_id)
    row = connection.execute(this).mappings().one_or_none()
    return None if row is None else Job(**row)


def _known(connection: Connection, job_id: str) -> Job:
    return _must_be(_find(connection, job_id), job_id)


def _must_be(job: Job | None, job_id: str) -> Job:
    if job is None:
        raise UnknownName(f"there is no job {job_id!r}, or no longer")
    return job


def _is_held(connection: Connection, job: Job) -> bool:
    held = (analysis_jobs.c.state == "running") & (analysis_jobs.c.beat == job.beat)
    this = select(analysis_jobs.c.id).where(analysis_jobs.c.id == job.id, held)
    return connection.execute(this).scalar() is not None


def _end(
    connection: Connection,
    job_id: str,
    state: RunState,
    result: Detail | None,
    problem: Detail | None,
) -> None:
    ended = {"result": result, "problem": problem, "heard": None, "expires_at": now() + KEPT}
    _change(connection, job_id, state=state, **ended)


def _change(connection: Connection, job_id: str, **changes: object) -> None:
    connection.execute(update(analysis_jobs).where(analysis_jobs.c.id == job_id).values(changes))
