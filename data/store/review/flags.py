"""What checks have to say of kept clips, for whoever reviews them.

A flag changes nothing but the review: the clip goes on counting as it did. Checks put theirs anew
each time; one that somebody has dismissed stays dismissed until the clip's label changes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, delete, insert, select, update

from data.database.database import Database
from data.database.schema import Detail, FlagKind, clip_flags, clips, now
from data.store.clips.clip_rows import known_clip
from data.store.events import record

Found = tuple[str, FlagKind, str, float]  # sha256, kind, reason and score


@dataclass(frozen=True)
class Flag:
    sha256: str
    kind: FlagKind
    reason: str
    score: float
    at: datetime


class Flags:
    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        domain: str,
        kinds: Iterable[FlagKind],
        found: Sequence[Found],
        *,
        who: str,
    ) -> int:
        """In place of all open flags of these kinds; how many stand. Clips that are not kept, or
        whose flag was dismissed, are passed over."""
        with self._database.write() as connection:
            ids = _ids(connection, domain)
            dismissed = _dismissed(connection, domain)
            open_ = ~clip_flags.c.dismissed & clip_flags.c.kind.in_(list(kinds))
            mine = clip_flags.c.clip_id.in_(select(clips.c.id).where(clips.c.domain == domain))
            connection.execute(delete(clip_flags).where(open_ & mine))
            count = _insert(connection, found, ids, dismissed)
            _note(connection, domain, list(kinds), count, who)
            return count

    def add(self, domain: str, found: Sequence[Found], *, who: str) -> int:
        """Beside those that stand; how many came. Of a clip and kind that has a flag already, open
        or dismissed, that one stays."""
        if not found:
            return 0
        with self._database.write() as connection:
            ids = _ids(connection, domain, {sha256 for sha256, *_ in found})
            count = _insert(connection, found, ids, _standing(connection, ids))
            if count:
                _note(connection, domain, sorted({kind for _, kind, *_ in found}), count, who)
            return count

    def find(self, domain: str, sha256s: Sequence[str] | None = None) -> list[Flag]:
        """The open ones, of these clips where they are named; the worst of each clip's first."""
        query = (
            select(
                clips.c.sha256,
                clip_flags.c.kind,
                clip_flags.c.reason,
                clip_flags.c.score,
                clip_flags.c.at,
            )
            .join(clips, clips.c.id == clip_flags.c.clip_id)
            .where(clips.c.domain == domain, ~clip_flags.c.dismissed)
            .order_by(clip_flags.c.score.desc(), clips.c.id)
        )
        if sha256s is not None:
            query = query.where(clips.c.sha256.in_(sha256s))
        with self._database.read() as connection:
            return [Flag(**row) for row in connection.execute(query).mappings()]

    def harmful(self, domain: str) -> set[str]:
        """Clips that a teach has held back under the label that they still have, also where
        somebody has dismissed the flag: they are for full trainings."""
        query = (
            select(clips.c.sha256)
            .join(clip_flags, clip_flags.c.clip_id == clips.c.id)
            .where(clips.c.domain == domain, clip_flags.c.kind == "harm")
        )
        with self._database.read() as connection:
            return set(connection.execute(query).scalars())

    def dismiss(self, domain: str, sha256: str, *, who: str) -> None:
        """The clip is right as it is; raises UnknownName."""
        with self._database.write() as connection:
            dismiss(connection, domain, sha256, who=who)


def dismiss(connection: Connection, domain: str, sha256: str, *, who: str) -> None:
    known_clip(connection, domain, sha256)
    ids = select(clips.c.id).where(clips.c.domain == domain, clips.c.sha256 == sha256)
    mine = clip_flags.c.clip_id.in_(ids)
    kinds = list(connection.execute(select(clip_flags.c.kind).where(mine)).scalars())
    connection.execute(update(clip_flags).where(mine).values(dismissed=True))
    subject = f"clip:{sha256}"
    detail: Detail = {"kinds": kinds}
    record(
        connection, "clip.flags_dismissed", subject=subject, who=who, domain=domain, detail=detail
    )


def _insert(
    connection: Connection,
    found: Sequence[Found],
    ids: Mapping[str, int],
    but: Collection[tuple[int, FlagKind]],
) -> int:
    rows = {
        (ids[sha256], kind): {
            "clip_id": ids[sha256],
            "kind": kind,
            "reason": reason,
            "score": score,
            "at": now(),
            "dismissed": False,
        }
        for sha256, kind, reason, score in found
        if sha256 in ids and (ids[sha256], kind) not in but
    }
    if rows:
        connection.execute(insert(clip_flags), list(rows.values()))
    return len(rows)


def _note(
    connection: Connection, domain: str, kinds: Sequence[FlagKind], count: int, who: str
) -> None:
    record(
        connection,
        "clips.checked",
        subject=f"domain:{domain}",
        who=who,
        domain=domain,
        detail={"kinds": list(kinds), "flags": count},
    )


def _ids(
    connection: Connection, domain: str, sha256s: Collection[str] | None = None
) -> dict[str, int]:
    query = select(clips.c.sha256, clips.c.id).where(clips.c.domain == domain)
    if sha256s is not None:
        query = query.where(clips.c.sha256.in_(sha256s))
    return dict(connection.execute(query).all())


def _standing(connection: Connection, ids: Mapping[str, int]) -> set[tuple[int, FlagKind]]:
    query = select(clip_flags.c.clip_id, clip_flags.c.kind).where(
        clip_flags.c.clip_id.in_(ids.values())
    )
    return {(number, cast(FlagKind, kind)) for number, kind in connection.execute(query)}


def _dismissed(connection: Connection, domain: str) -> set[tuple[int, FlagKind]]:
    query = (
        select(clip_flags.c.clip_id, clip_flags.c.kind)
        .join(clips, clips.c.id == clip_flags.c.clip_id)
        .where(clips.c.domain == domain, clip_flags.c.dismissed)
    )
    return {(number, cast(FlagKind, kind)) for number, kind in connection.execute(query)}
