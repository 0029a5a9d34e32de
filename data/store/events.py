"""Who did what, when: a list that only grows.

Whatever changes the store records its event in the same transaction, through `record`.
A subject says what it was done to: run:<id>, clip:<sha256>, feedback:<receipt>,
snapshot:<id>, model:<domain>:<version>, key:<name>.
"""

import getpass
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from data.database.database import Database
from data.database.schema import Detail, events, fields_of, now


@dataclass(frozen=True)
class Event:
    id: int
    at: datetime
    kind: str
    subject: str
    who: str
    domain: str | None
    detail: Detail


class Events:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        kind: str,
        *,
        subject: str,
        who: str,
        domain: str | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> int:
        with self._database.write() as connection:
            return record(
                connection, kind, subject=subject, who=who, domain=domain, detail=detail or {}
            )

    def find(
        self,
        *,
        subject: str | None = None,
        domain: str | None = None,
        after: int = 0,
        limit: int = 200,
    ) -> list[Event]:
        """Oldest first; to follow along, ask again with the last id as `after`: none is missed."""
        query = select(*fields_of(events, Event)).where(events.c.id > after)
        if subject is not None:
            query = query.where(events.c.subject == subject)
        if domain is not None:
            query = query.where(events.c.domain == domain)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(events.c.id).limit(limit))
            return [Event(**row) for row in rows.mappings()]

    def snapshot_of(self, run_id: str) -> str | None:
        """The list that the run learns from, by its id; None where it did not come so far."""
        for event in self.find(subject=f"run:{run_id}"):
            if event.kind == "step" and "snapshot" in event.detail:
                return str(event.detail["snapshot"])
        return None

    def count(self, subject: str, kind: str) -> int:
        query = select(func.count()).where(events.c.subject == subject, events.c.kind == kind)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def last_id(self) -> int:
        """After which nothing has happened yet; 0 before the first."""
        with self._database.read() as connection:
            return connection.execute(select(func.max(events.c.id))).scalar_one() or 0

    def latest(
        self,
        domain: str,
        *,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Event]:
        """Of the domain and of the service as a whole, newest first; for the next page ask again
        with the last id as `before`. `clip` is the kind of all that begin with `clip.`"""
        wanted = (events.c.domain == domain) | events.c.domain.is_(None)
        query = select(*fields_of(events, Event)).where(wanted)
        if kind is not None:
            among = events.c.kind.startswith(f"{kind}.", autoescape=True)
            query = query.where((events.c.kind == kind) | among)
        if since is not None:
            query = query.where(events.c.at >= since)
        if until is not None:
            query = query.where(events.c.at < until)
        if before is not None:
            query = query.where(events.c.id < before)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(events.c.id.desc()).limit(limit))
            return [Event(**row) for row in rows.mappings()]


def somebody() -> str:
    """Who runs a command: the name for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return f"user {os.getuid()}"


def record(
    connection: Connection,
    kind: str,
    *,
    subject: str,
    who: str,
    domain: str | None,
    detail: Mapping[str, object],
) -> int:
    row = {
        "at": now(),
        "kind": kind,
        "subject": subject,
        "who": who,
        "domain": domain,
        "detail": dict(detail),
    }
    return connection.execute(insert(events).values(row).returning(events.c.id)).scalar_one()
