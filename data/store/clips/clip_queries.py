"""Which clips are kept, and how many of what: by label, state, split, source and week."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypedDict, TypeVarTuple, Unpack

from sqlalchemy import Select, String, cast, func, select

from data.database.database import Database
from data.database.schema import ClipState, clip_flags, clips, feedback, now
from data.store.clips.clip_rows import is_new

Columns = TypeVarTuple("Columns")

WEEKS = 26
WORST = (
    select(clip_flags.c.clip_id, func.max(clip_flags.c.score).label("score"))
    .where(~clip_flags.c.dismissed)
    .group_by(clip_flags.c.clip_id)
    .subquery()
)


class Wanted(TypedDict, total=False):
    """Which clips: all, or those of a state, a label, with open flags (`flagged`), in quarantine or
    with a correction that waits (`waiting`), that came before a moment."""

    state: ClipState | None
    label: str | None
    flagged: bool
    waiting: bool
    before: datetime


def listing(query: Select[*Columns], domain: str, **wanted: Unpack[Wanted]) -> Select[*Columns]:
    query = query.where(clips.c.domain == domain)
    if (state := wanted.get("state")) is not None:
        query = query.where(clips.c.state == state)
    if (label := wanted.get("label")) is not None:
        query = query.where(clips.c.label == label)
    if (before := wanted.get("before")) is not None:
        query = query.where(clips.c.created_at < before)
    if wanted.get("flagged"):
        query = query.join(WORST, WORST.c.clip_id == clips.c.id)
    if wanted.get("waiting"):
        corrected = select(feedback.c.clip_sha256).where(
            feedback.c.domain == domain, feedback.c.state == "quarantined"
        )
        query = query.where((clips.c.state == "quarantined") | clips.c.sha256.in_(corrected))
    return query


@dataclass(frozen=True)
class CountedClips:
    """Clips of one label, state, split and source."""

    label: str | None
    state: str
    split: str | None
    source: str
    clips: int


class ClipCounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(self, domain: str) -> list[CountedClips]:
        by = (clips.c.label, clips.c.state, clips.c.split, clips.c.source)
        query = select(*by, func.count()).where(clips.c.domain == domain).group_by(*by)
        with self._database.read() as connection:
            return [CountedClips(*row) for row in connection.execute(query)]

    def by_week(self, domain: str) -> dict[str, Counter[str]]:
        """ISO week (2026-W48) -> label -> clips that came in it; the last WEEKS, oldest first."""
        day = cast(func.date(clips.c.created_at), String)
        query = (
            select(day, clips.c.label, func.count())
            .where(clips.c.domain == domain, clips.c.created_at > now() - timedelta(weeks=WEEKS))
            .group_by(day, clips.c.label)
            .order_by(day)
        )
        found: dict[str, Counter[str]] = {}
        with self._database.read() as connection:
            for text, name, number in connection.execute(query):
                year, week, _ = date.fromisoformat(text).isocalendar()
                found.setdefault(f"{year}-W{week:02}", Counter())[name or ""] += number
        return found

    def waiting(self, domain: str) -> dict[str, int]:
        """Label -> accepted clips that the next training learns, or learns anew."""
        wanted = is_new() & (clips.c.state == "accepted") & (clips.c.domain == domain)
        query = select(clips.c.label, func.count()).where(wanted).group_by(clips.c.label)
        with self._database.read() as connection:
            return {str(label): number for label, number in connection.execute(query)}
