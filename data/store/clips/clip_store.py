"""Clips and their bytes, kept together.

A row and its bytes appear together or not at all: bytes first, row second, so that a process
killed in between leaves bytes that nobody sees, until `sweep` removes them. Bytes are deleted
only by a writer that finds no row using them (see `data/database/database.py` on writers).
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Unpack, get_args

from sqlalchemy import ColumnElement, Connection, func, select, update

from data.database.database import Database
from data.database.schema import ClipState, clips, events, feedback, now, predictions
from data.errors import Conflict, DiskFull, Overloaded, UndecodableClip, UnknownName
from data.store.blobs import Blobs
from data.store.clips.clip_queries import WORST, Wanted, listing
from data.store.clips.clip_rows import (
    CLIP,
    Clip,
    NewClip,
    claimed,
    decide,
    fill_group,
    find_clip,
    forget_answers,
    forget_clip,
    forget_learnt,
    insert_clip,
    is_new,
    known_clip,
    regroup,
    relabel,
    set_state,
)

Added = tuple[Clip, bool]
Hashed = list[tuple[str, NewClip]]


class ClipStore:
    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def add(self, new: NewClip, *, who: str) -> Added:
        """The clip, and whether it is new; raises Conflict (see `clip_rows.py`)."""
        (outcome,) = self.add_many([new], who=who)
        if isinstance(outcome, Conflict):
            raise outcome
        return outcome

    def add_many(self, news: Sequence[NewClip], *, who: str) -> list[Added | Conflict]:
        """All in one transaction, each with its own outcome; faster than one by one."""
        with self.storing(news) as (connection, hashed):
            return [add_clip(connection, sha256, new, who) for sha256, new in hashed]

    @contextmanager
    def storing(self, news: Sequence[NewClip]) -> Iterator[tuple[Connection, Hashed]]:
        """A transaction for the rows of clips whose bytes are stored; without room for the rows,
        or leave to write them, the bytes go again."""
        hashed = [(hashlib.sha256(new.raw).hexdigest(), new) for new in news]
        try:
            self._put(hashed)
            with self._database.write() as connection:
                # Again, because the same bytes may have been forgotten in another domain just now.
                self._put(hashed)
                yield connection, hashed
        except (DiskFull, Overloaded):
            self.delete_unused(filter(None, (s for h, n in hashed for s in (h, n.mask_sha256))))
            raise

    def would_add(self, new: NewClip, *, who: str) -> bool:
        """Whether `add` would make a new clip; raises Conflict where it would. Writes nothing."""
        with self._database.read() as connection:
            stored = find_clip(connection, new.domain, hashlib.sha256(new.raw).hexdigest())
        if stored is not None:
            claimed(stored, new, who)
        return stored is None

    def get(self, domain: str, sha256: str) -> Clip:
        with self._database.read() as connection:
            return known_clip(connection, domain, sha256)

    def find(
        self,
        domain: str,
        *,
        limit: int | None = 100,
        offset: int = 0,
        **wanted: Unpack[Wanted],
    ) -> list[Clip]:
        """Newest first, or where `flagged` the worst first; all of them without a limit."""
        query = listing(CLIP, domain, **wanted)
        if wanted.get("flagged"):
            query = query.order_by(WORST.c.score.desc())
        query = query.order_by(clips.c.id.desc()).limit(limit).offset(offset)
        with self._database.read() as connection:
            rows = connection.execute(query)
            return [Clip(**row) for row in rows.mappings()]

    def labels(
        self,
        domain: str,
        **wanted: Unpack[Wanted],
    ) -> dict[str, str | None]:
        """By digest, of all that `find` would list, newest first."""
        query = listing(select(clips.c.sha256, clips.c.label), domain, **wanted)
        with self._database.read() as connection:
            return dict(connection.execute(query.order_by(clips.c.id.desc())).all())

    def by_digests(self, domain: str, sha256s: Sequence[str]) -> list[Clip]:
        """In this order; without those that are gone."""
        query = CLIP.where(clips.c.domain == domain, clips.c.sha256.in_(sha256s))
        with self._database.read() as connection:
            found = {row["sha256"]: Clip(**row) for row in connection.execute(query).mappings()}
        return [found[sha256] for sha256 in sha256s if sha256 in found]

    def counts(self, domain: str) -> dict[ClipState, int]:
        query = select(clips.c.state, func.count()).where(clips.c.domain == domain)
        with self._database.read() as connection:
            found = dict(connection.execute(query.group_by(clips.c.state)).all())
        return {state: found.get(state, 0) for state in get_args(ClipState)}

    def count_new(self, domain: str, *, since: datetime | None = None) -> int:
        """Accepted clips that no champion has learnt, or not with the label they have now, and
        those that were taken back behind one that has; but for those that a teach has held back
        and that wait for a full training.

        With `since`, only those that were added, decided on or relabelled after it.
        """
        return self._count(domain, is_new(), since)

    def count_changed(self, domain: str, *, since: datetime | None = None) -> int:
        """What a full training would learn anew since the last one: accepted clips, also those that
        a teach has learnt, or that it held back and somebody accepted, and those taken back behind
        a champion that has. What a teach has forgotten since is not among them."""
        return self._count(domain, is_new() | (clips.c.state == "accepted"), since)

    def _count(self, domain: str, which: ColumnElement[bool], since: datetime | None) -> int:
        query = select(func.count()).where(clips.c.domain == domain, which)
        if since is not None:
            query = query.where(clips.c.changed_at > since)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def read(self, sha256: str) -> bytes:
        """The bytes somebody sent, checked against their hash."""
        if not self._is_used(sha256):
            raise UnknownName(f"there is no clip {sha256!r}")
        raw = self._blobs.get(sha256)
        if hashlib.sha256(raw).hexdigest() != sha256:
            raise UndecodableClip(f"the stored bytes of clip {sha256!r} are damaged")
        return raw

    def set_state(
        self, domain: str, sha256: str, state: ClipState, *, who: str, reason: str = ""
    ) -> Clip:
        """Waiting receipts of the clip are settled with it; raises Conflict without a label."""
        with self._database.write() as connection:
            return set_state(connection, domain, sha256, state, who=who, reason=reason)

    def hold_back(self, domain: str, sha256: str, label: str, *, who: str, reason: str) -> bool:
        """Quarantined, if it is there and still accepted with that label: what a person has
        decided meanwhile stands. Whether it was. Its receipts wait, those that were learnt, too."""
        with self._database.write() as connection:
            before = find_clip(connection, domain, sha256)
            if before is None or (before.state, before.label) != ("accepted", label):
                return False
            forget_learnt(connection, before)
            after = replace(before, state="quarantined", reason=reason)
            decide(connection, before, after, kind="clip.held_back", who=who)
            return True

    def regroup(self, domain: str, sha256: str, group: str | None, *, who: str) -> Clip:
        """Another group, or none; what a retrain has split or weighed by the old one stays."""
        with self._database.write() as connection:
            before = known_clip(connection, domain, sha256)
            if before.group == group:
                return before
            return regroup(connection, before, group, who=who)

    def relabel(
        self, domain: str, sha256: str, label: str, *, who: str, mask: str | None = None
    ) -> Clip:
        """The state stays; a version that learnt the old label makes the clip new again. `mask`
        is the digest of one that was stored before."""
        with self._database.write() as connection:
            return relabel(connection, domain, sha256, label, who=who, mask=mask)

    def forget(self, domain: str, sha256: str, *, who: str) -> list[str]:
        """Delete the clip, answers that were kept of it, and its bytes; the versions that learnt
        from it, oldest first."""
        with self._database.write() as connection:
            answers = forget_answers(connection, domain, sha256, who=who)
            known = find_clip if answers else known_clip
            clip = known(connection, domain, sha256)
            masks = masks_of(connection, clip) if clip else set()
            versions = forget_clip(connection, clip, who=who) if clip else []
        # Only now: were we killed before the commit, the row would stand without its bytes.
        self.delete_unused([sha256, *masks])
        return versions

    def delete_unused(self, blobs: Iterable[str]) -> int:
        """How many of them no row named."""
        return sum(self._delete_unused(sha256) for sha256 in blobs)

    def blobs_in_use(self) -> set[str]:
        """The digests of all bytes that a row names: clips, masks, and clips of kept answers."""
        columns = (clips.c.sha256, clips.c.mask, feedback.c.mask)
        of_answers = select(predictions.c.clip_sha256).where(predictions.c.has_clip)
        with self._database.read() as connection:
            queries = (*(select(column) for column in columns), of_answers)
            found = [connection.execute(query).scalars() for query in queries]
            return {sha256 for column in found for sha256 in column if sha256 is not None}

    def forget_lost(self, lost: Iterable[str], *, who: str) -> None:
        """No row stands without its bytes: those of clips are deleted, corrections lose a mask."""
        with self._database.write() as connection:
            for sha256 in lost:
                named = (clips.c.sha256 == sha256) | (clips.c.mask == sha256)
                for row in connection.execute(CLIP.where(named)).mappings().all():
                    forget_clip(connection, Clip(**row), who=who)
                said = feedback.c.mask == sha256
                connection.execute(update(feedback).where(said).values(mask=None))
                kept = predictions.c.clip_sha256 == sha256
                connection.execute(update(predictions).where(kept).values(has_clip=False))

    def forgotten(self, domain: str, *, after: int = 0) -> tuple[set[str], int]:
        """The clips that were forgotten behind event `after`, and the domain's last event."""
        of_domain = events.c.domain == domain
        asked = select(events.c.subject).where(
            of_domain, events.c.id > after, events.c.kind == "clip.forgotten"
        )
        with self._database.read() as connection:
            last = connection.execute(select(func.max(events.c.id)).where(of_domain)).scalar()
            subjects = connection.execute(asked).scalars()
            return {subject.removeprefix("clip:") for subject in subjects}, last or 0

    def missing(self, domain: str, among: Collection[str]) -> set[str]:
        """Those that the domain has not got, in whatever state."""
        if not among:
            return set()
        query = select(clips.c.sha256).where(clips.c.domain == domain, clips.c.sha256.in_(among))
        with self._database.read() as connection:
            return set(among) - set(connection.execute(query).scalars())

    def sweep(self, older_than_s: float = 3600) -> int:
        """Remove what killed processes left behind; how many blobs had no row."""
        self._blobs.discard_unfinished(older_than_s)
        orphans = [sha for sha in self._blobs.older_than(older_than_s) if not self._is_used(sha)]
        return self.delete_unused(orphans)

    def _put(self, hashed: Hashed) -> None:
        blobs = [(sha256, new.raw) for sha256, new in hashed]
        blobs += [(new.mask_sha256 or "", new.mask) for _, new in hashed if new.mask is not None]
        # Each waits for a disk or a network: together they wait once.
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda blob: self._blobs.put(*blob), blobs))

    def _is_used(self, sha256: str) -> bool:
        with self._database.read() as connection:
            return _has_row(connection, sha256)

    def _delete_unused(self, sha256: str) -> bool:
        with self._database.write() as connection:
            unused = not _has_row(connection, sha256)
            if unused:
                self._blobs.delete(sha256)
            return unused


def _has_row(connection: Connection, sha256: str) -> bool:
    """Of a clip, of a mask that a clip or a correction has, or of an answer that was kept."""
    uses = (
        select(clips.c.id).where(clips.c.sha256 == sha256),
        select(clips.c.id).where(clips.c.mask == sha256),
        select(feedback.c.id).where(feedback.c.mask == sha256),
        select(predictions.c.id).where(predictions.c.clip_sha256 == sha256, predictions.c.has_clip),
    )
    return any(connection.execute(query.limit(1)).first() is not None for query in uses)


def masks_of(connection: Connection, clip: Clip) -> set[str]:
    said_of_it = (feedback.c.domain == clip.domain) & (feedback.c.clip_sha256 == clip.sha256)
    said = connection.execute(select(feedback.c.mask).where(said_of_it)).scalars()
    return {mask for mask in (clip.mask, *said) if mask is not None}


def add_clip(connection: Connection, sha256: str, new: NewClip, who: str) -> Added | Conflict:
    stored = find_clip(connection, new.domain, sha256)
    if stored is None:
        clip = _first(sha256, new, who)
        insert_clip(connection, clip)
        return clip, True
    stored = fill_group(connection, stored, new, who)
    try:
        claim = claimed(stored, new, who)
    except Conflict as conflict:
        return conflict
    if claim != stored:
        decide(connection, stored, claim, kind="clip.claimed", who=who)
    return claim, False


def _first(sha256: str, new: NewClip, who: str) -> Clip:
    return Clip(
        domain=new.domain,
        sha256=sha256,
        label=new.label,
        group=new.group,
        state=new.state,
        reason=new.reason,
        who=who,
        source=new.source,
        size_bytes=len(new.raw),
        duration_s=new.duration_s,
        sample_rate_hz=new.sample_rate_hz,
        created_at=now(),
        split=new.split,
        mask=new.mask_sha256,
    )
