"""How many clips are kept of what: by label, state, split, source and week."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import String, cast, func, select

from data.database.database import Database
from data.database.schema import clips, now
from data.store.clip_rows import is_new

WEEKS = 26


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
