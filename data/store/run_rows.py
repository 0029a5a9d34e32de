"""Retrain runs: asked for, running, ended; the end is final.

Before a run promotes its version it writes its result into its open row: from then on it can only
succeed, and whoever finds it without a process completes the promotion. A run that was given up
is refused there, so it promotes nothing when it comes back.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, Select, insert, select, update

from data.database.database import Database
from data.database.schema import Detail, RunState, fields_of, now, runs
from data.domains.domain import Mode
from data.errors import Conflict, UnknownName
from data.store.events import record

# A run only moves down this list, to one of the last three.
_ORDER: dict[RunState, int] = {
    "queued": 0,
    "running": 1,
    "succeeded": 2,
    "failed": 2,
    "cancelled": 2,
}


@dataclass(frozen=True)
class RunRow:
    id: str
    domain: str
    mode: Mode
    reason: str
    who: str
    state: RunState
    created_at: datetime
    finished_at: datetime | None
    result: Detail | None
    beat: int | None = None
    trigger: str = ""  # person, command, new_clips, every_h, schedule or forgetting
    options: Detail = field(default_factory=dict)  # `RunOptions.changed()`

    @property
    def is_promoting(self) -> bool:
        return self.finished_at is None and self.result is not None


_SELECT = select(*fields_of(runs, RunRow))


class RunTable:
    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self,
        run_id: str,
        *,
        domain: str,
        mode: Mode,
        reason: str,
        who: str,
        trigger: str = "person",
        options: Detail | None = None,
    ) -> RunRow:
        """Raises Conflict if the id is taken; the process of a `command` or of a full run must
        `beat`. Event: queued."""
        beat = 0 if trigger == "command" or mode == "full" else None
        run = RunRow(run_id, domain, mode, reason, who, "queued", now(), None, None, beat)
        run = replace(run, trigger=trigger, options=options or {})
        with self._database.write() as connection:
            if _row(connection, run_id) is not None:
                raise Conflict(f"there is already a run {run_id!r}")
            connection.execute(insert(runs).values(vars(run)))
            _record(connection, run, "queued", who, {"mode": mode, "reason": reason, **run.options})
        return run

    def update(
        self, run_id: str, *, state: RunState, who: str, result: Detail | None = None
    ) -> RunRow:
        """Raises Conflict if the run has ended otherwise. Events: started, finished."""
        with self._database.write() as connection:
            run = _known(connection, run_id)
            if run.state == state:
                return run
            if _ORDER[state] <= _ORDER[run.state]:
                raise Conflict(f"run {run_id!r} is already {run.state}; it cannot be {state}")
            if run.is_promoting and state != "succeeded":
                raise Conflict(
                    f"run {run_id!r} is promoting its version already and cannot be {state}; "
                    "roll back once it has succeeded"
                )
            ended = _ORDER[state] == _ORDER["succeeded"]
            changes = {"state": state, "result": result, "finished_at": now() if ended else None}
            connection.execute(update(runs).where(runs.c.id == run_id).values(changes))
            detail: Detail = {"state": state, "result": result} if ended else {}
            _record(connection, run, "finished" if ended else "started", who, detail)
            return _known(connection, run_id)

    def promoting(self, run_id: str, result: Detail) -> None:
        """Called before the version is promoted: from now on the run succeeds with this result.
        Raises Conflict if it has ended."""
        with self._database.write() as connection:
            run = _known(connection, run_id)
            if run.finished_at is not None:
                raise Conflict(f"run {run_id!r} is already {run.state}; it promotes nothing")
            connection.execute(update(runs).where(runs.c.id == run_id).values(result=result))

    def beat(self, run_id: str) -> None:
        """A sign of life, without an event: somebody works on the run."""
        with self._database.write() as connection:
            mine = update(runs).where(runs.c.id == run_id)
            connection.execute(mine.values(beat=runs.c.beat + 1))

    def get(self, run_id: str) -> RunRow:
        with self._database.read() as connection:
            return _known(connection, run_id)

    def find(
        self, domain: str | None = None, *, mode: Mode | None = None, limit: int = 50
    ) -> list[RunRow]:
        """Newest first."""
        query = _SELECT if mode is None else _SELECT.where(runs.c.mode == mode)
        return self._list(query.limit(limit), domain)

    def unfinished(self, domain: str | None = None) -> list[RunRow]:
        """Queued or running, newest first: what a curator that starts again must look after."""
        return self._list(_SELECT.where(runs.c.state.in_(["queued", "running"])), domain)

    def _list(self, query: Select[*tuple[object, ...]], domain: str | None) -> list[RunRow]:
        if domain is not None:
            query = query.where(runs.c.domain == domain)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(runs.c.created_at.desc()))
            return [RunRow(**row) for row in rows.mappings()]


def _row(connection: Connection, run_id: str) -> RunRow | None:
    row = connection.execute(_SELECT.where(runs.c.id == run_id)).mappings().one_or_none()
    return None if row is None else RunRow(**row)


def _known(connection: Connection, run_id: str) -> RunRow:
    run = _row(connection, run_id)
    if run is None:
        raise UnknownName(f"there is no run {run_id!r}")
    return run


def _record(connection: Connection, run: RunRow, kind: str, who: str, detail: Detail) -> None:
    record(connection, kind, subject=f"run:{run.id}", who=who, domain=run.domain, detail=detail)
