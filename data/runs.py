"""Retrain runs: asked for, running, ended; the end is final."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, insert, select, update

from data.database import Database
from data.domain import Mode
from data.errors import Conflict, UnknownName
from data.events import record
from data.tables import Detail, RunState, fields_of, now, runs

# A run only moves down this list, to one of the last three.
_ORDER: dict[RunState, int] = {
    "queued": 0,
    "running": 1,
    "succeeded": 2,
    "failed": 2,
    "cancelled": 2,
}


@dataclass(frozen=True)
class Run:
    id: str
    domain: str
    mode: Mode
    reason: str
    who: str
    state: RunState
    created_at: datetime
    finished_at: datetime | None
    result: Detail | None


_SELECT = select(*fields_of(runs, Run))


class Runs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, run_id: str, *, domain: str, mode: Mode, reason: str, who: str) -> Run:
        """Raises Conflict if the id is taken. Event: queued."""
        run = Run(run_id, domain, mode, reason, who, "queued", now(), None, None)
        with self._database.write() as connection:
            if _row(connection, run_id) is not None:
                raise Conflict(f"there is already a run {run_id!r}")
            connection.execute(insert(runs).values(vars(run)))
            _record(connection, run, "queued", who, {"mode": mode, "reason": reason})
        return run

    def update(
        self, run_id: str, *, state: RunState, who: str, result: Detail | None = None
    ) -> Run:
        """Raises Conflict if the run has ended otherwise. Events: started, finished."""
        with self._database.write() as connection:
            run = _known(connection, run_id)
            if run.state == state:
                return run
            if _ORDER[state] <= _ORDER[run.state]:
                raise Conflict(f"run {run_id!r} is already {run.state}; it cannot be {state}")
            ended = _ORDER[state] == _ORDER["succeeded"]
            changes = {"state": state, "result": result, "finished_at": now() if ended else None}
            connection.execute(update(runs).where(runs.c.id == run_id).values(changes))
            detail: Detail = {"state": state, "result": result} if ended else {}
            _record(connection, run, "finished" if ended else "started", who, detail)
            return _known(connection, run_id)

    def get(self, run_id: str) -> Run:
        with self._database.read() as connection:
            return _known(connection, run_id)

    def find(self, domain: str | None = None, *, limit: int = 50) -> list[Run]:
        """Newest first."""
        return self._list(_SELECT.limit(limit), domain)

    def unfinished(self, domain: str | None = None) -> list[Run]:
        """Queued or running, newest first: what a curator that starts again must look after."""
        return self._list(_SELECT.where(runs.c.state.in_(["queued", "running"])), domain)

    def _list(self, query: Select[*tuple[object, ...]], domain: str | None) -> list[Run]:
        if domain is not None:
            query = query.where(runs.c.domain == domain)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(runs.c.created_at.desc()))
            return [Run(**row) for row in rows.mappings()]


def _row(connection: Connection, run_id: str) -> Run | None:
    row = connection.execute(_SELECT.where(runs.c.id == run_id)).mappings().one_or_none()
    return None if row is None else Run(**row)


def _known(connection: Connection, run_id: str) -> Run:
    run = _row(connection, run_id)
    if run is None:
        raise UnknownName(f"there is no run {run_id!r}")
    return run


def _record(connection: Connection, run: Run, kind: str, who: str, detail: Detail) -> None:
    record(connection, kind, subject=f"run:{run.id}", who=who, domain=run.domain, detail=detail)
