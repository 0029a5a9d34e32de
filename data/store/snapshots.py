"""Snapshots: the exact list of accepted clips that a version learns from.

The id is a digest of the list, so the same list is the same snapshot. A forgotten clip leaves
the snapshots too; `forgotten` says how many have left.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update

from data.database.database import Database
from data.database.schema import clips, feedback, now, snapshot_clips, snapshots
from data.errors import UnknownName
from data.store.clips.clip_rows import CLIP, Clip, decide, known_clip
from data.store.events import record
from data.store.trained_versions import (
    answer_receipts,
    corrections_learnt,
    learners,
    listed_among,
    no_longer_new,
    note_learner,
)


@dataclass(frozen=True)
class Snapshot:
    id: str
    domain: str
    created_at: datetime
    clips: tuple[Clip, ...]  # in the order of their hashes, labelled as they were then
    forgotten: int


@dataclass(frozen=True)
class Summary:
    id: str
    created_at: datetime
    size: int
    versions: tuple[str, ...]  # of the model, that learnt from it, oldest first


@dataclass(frozen=True)
class Difference:
    """Between two lists of clips: what came, went, or is called otherwise."""

    added: tuple[Clip, ...]
    removed: tuple[Clip, ...]
    relabelled: tuple[tuple[Clip, Clip], ...]  # before and after

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(clips) for name, clips in vars(self).items()}

    @property
    def turned_round(self) -> "Difference":
        """What takes the second list back to the first."""
        back = tuple((after, before) for before, after in self.relabelled)
        return Difference(added=self.removed, removed=self.added, relabelled=back)


class Snapshots:
    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, domain: str, *, who: str) -> Snapshot:
        """All accepted clips of a domain, as they are now."""
        with self._database.write() as connection:
            rows = _accepted(connection, domain)
            digest = _digest(domain, rows)
            number = _number(connection, digest)
            if number is None:
                number = _create(connection, digest, domain, len(rows), who)
            _hold(connection, number, rows)
            _name_on_receipts(connection, number, digest)
            return _read(connection, digest)

    def get(self, snapshot_id: str) -> Snapshot:
        with self._database.read() as connection:
            return _read(connection, snapshot_id)

    def of(self, domain: str, start: str) -> Snapshot:
        """As `named`; raises UnknownName for one of another domain, too."""
        found = self.named(start)
        if found.domain != domain:
            raise UnknownName(f"snapshot {start} is one of {found.domain}, not of {domain}")
        return found

    def named(self, start: str) -> Snapshot:
        """By the first letters of its id, as many as no other begins with."""
        query = select(snapshots.c.digest).where(
            snapshots.c.digest.startswith(start, autoescape=True)
        )
        with self._database.read() as connection:
            found = connection.execute(query.limit(2)).scalars().all()
            if len(found) > 1:
                raise UnknownName(f"several snapshots begin with {start!r}; name more letters")
            return _read(connection, found[0] if found else start)

    def find(self, domain: str) -> list[Summary]:
        """Newest first."""
        query = select(snapshots).filter_by(domain=domain).order_by(snapshots.c.id.desc())
        with self._database.read() as connection:
            versions = learners(connection)
            return [
                Summary(
                    row["digest"],
                    row["created_at"],
                    row["size"],
                    tuple(versions.get(row["id"], ())),
                )
                for row in connection.execute(query).mappings()
            ]

    def since(self, snapshot_id: str) -> Difference:
        """What was added, removed and relabelled since the snapshot."""
        with self._database.read() as connection:
            then = _read(connection, snapshot_id)
            return difference(then.clips, _clips(_accepted(connection, then.domain)))

    def restore(self, snapshot_id: str, *, who: str) -> Difference:
        """All clips as they were: the difference that was made. Clips that were accepted since go
        back to quarantine, where nothing is lost; forgotten ones stay forgotten."""
        with self._database.write() as connection:
            then = _read(connection, snapshot_id)
            made = difference(_clips(_accepted(connection, then.domain)), then.clips)
            put_back(connection, made, f"not in snapshot {snapshot_id[:12]}, restored", who)
            record(
                connection,
                "snapshot.restored",
                subject=f"snapshot:{snapshot_id}",
                who=who,
                domain=then.domain,
                detail={**made.counts, "forgotten": then.forgotten},
            )
            return made

    def mark_learnt(
        self,
        snapshot_id: str,
        version: str,
        after: Mapping[str, tuple[str, float]],
        *,
        who: str,
        left_out: Collection[str] = (),
        serves: bool = True,
    ) -> None:
        """`version` has learnt these clips, less those `left_out`: they are no longer new if it
        `serves`.

        `after` says, by the clip's hash, what the version now answers: label and confidence.
        The receipts of those clips show it, each the first version that did. For a version
        that the gate refused it is empty: it holds the clips, but answers nobody.
        """
        with self._database.write() as connection:
            taken = _read(connection, snapshot_id)
            number = _number(connection, snapshot_id)
            out = listed_among(connection, number, left_out)
            note_learner(connection, number, version, out)
            if serves:
                no_longer_new(connection, taken.domain, number, out)
            answer_receipts(connection, taken.id, taken.clips, version, after)
            record(
                connection,
                "model.learnt",
                subject=f"model:{taken.domain}:{version}",
                who=who,
                domain=taken.domain,
                detail={
                    "snapshot": snapshot_id,
                    "clips": len(taken.clips) - len(out),
                    **corrections_learnt(connection, taken.domain, version),
                },
            )


def _accepted(connection: Connection, domain: str) -> Sequence[RowMapping]:
    query = CLIP.add_columns(clips.c.id).where(
        clips.c.domain == domain, clips.c.state == "accepted", clips.c.label.is_not(None)
    )
    return connection.execute(query.order_by(clips.c.sha256)).mappings().all()


def _clips(rows: Sequence[RowMapping]) -> list[Clip]:
    return [Clip(**{key: row[key] for key in row if key != "id"}) for row in rows]


def _digest(domain: str, rows: Sequence[RowMapping]) -> str:
    # A mask and a side of the split were not always noted: lists without keep the ids they had.
    lines = [
        [row["sha256"], row["label"], row["group"], *filter(None, [row["split"], row["mask"]])]
        for row in rows
    ]
    return hashlib.sha256(json.dumps([domain, lines]).encode()).hexdigest()


def _number(connection: Connection, digest: str) -> int | None:
    return connection.execute(select(snapshots.c.id).filter_by(digest=digest)).scalar()


def _create(connection: Connection, digest: str, domain: str, size: int, who: str) -> int:
    row = {"digest": digest, "domain": domain, "size": size, "created_at": now()}
    subject, detail = f"snapshot:{digest}", {"clips": size}
    record(connection, "snapshot.taken", subject=subject, who=who, domain=domain, detail=detail)
    return connection.execute(insert(snapshots).values(row).returning(snapshots.c.id)).scalar_one()


def _hold(connection: Connection, number: int, rows: Sequence[RowMapping]) -> None:
    # The list may have been taken before; a clip that was forgotten since and came back is new.
    query = select(snapshot_clips.c.clip_id).filter_by(snapshot_id=number)
    held = set(connection.execute(query).scalars())
    missing = [
        {
            "snapshot_id": number,
            "clip_id": row["id"],
            "label": row["label"],
            "mask": row["mask"],
        }
        for row in rows
        if row["id"] not in held
    ]
    if missing:
        connection.execute(insert(snapshot_clips), missing)


def _name_on_receipts(connection: Connection, number: int, digest: str) -> None:
    held = (
        select(clips.c.id)
        .join(snapshot_clips, snapshot_clips.c.clip_id == clips.c.id)
        .where(
            snapshot_clips.c.snapshot_id == number,
            snapshot_clips.c.label == feedback.c.corrected,
            snapshot_clips.c.mask.is_not_distinct_from(feedback.c.mask),
            clips.c.domain == feedback.c.domain,
            clips.c.sha256 == feedback.c.clip_sha256,
        )
    )
    waiting = (feedback.c.state == "accepted") & feedback.c.snapshot.is_(None)
    connection.execute(update(feedback).where(waiting, held.exists()).values(snapshot=digest))


def _read(connection: Connection, digest: str) -> Snapshot:
    query = select(snapshots).filter_by(digest=digest)
    snapshot = connection.execute(query).mappings().one_or_none()
    if snapshot is None:
        raise UnknownName(f"there is no snapshot {digest!r}")
    held = (
        CLIP.add_columns(
            snapshot_clips.c.label.label("label_then"), snapshot_clips.c.mask.label("mask_then")
        )
        .join(snapshot_clips, snapshot_clips.c.clip_id == clips.c.id)
        .where(snapshot_clips.c.snapshot_id == snapshot["id"])
        .order_by(clips.c.sha256)
    )
    listed = tuple(_clip_then(row) for row in connection.execute(held).mappings())
    return Snapshot(
        id=digest,
        domain=snapshot["domain"],
        created_at=snapshot["created_at"],
        clips=listed,
        forgotten=snapshot["size"] - len(listed),
    )


def _clip_then(row: RowMapping) -> Clip:
    values = dict(row)
    values["label"], values["mask"] = values.pop("label_then"), values.pop("mask_then")
    return Clip(**values)


def put_back(connection: Connection, wanted: Difference, why_removed: str, who: str) -> None:
    """Makes the difference: what is to be removed waits in quarantine, where nothing is lost."""
    for clip in (*wanted.added, *(after for _, after in wanted.relabelled)):
        _write(connection, replace(clip, state="accepted", reason=""), who)
    for clip in wanted.removed:
        _write(connection, replace(clip, state="quarantined", reason=why_removed), who)


def _write(connection: Connection, wanted: Clip, who: str) -> None:
    before = known_clip(connection, wanted.domain, wanted.sha256)
    after = replace(before, label=wanted.label, state=wanted.state, reason=wanted.reason)
    decide(connection, before, after, kind="clip.restored", who=who)


def difference(before: Iterable[Clip], after: Iterable[Clip]) -> Difference:
    """Each in the order of its list."""
    old = {clip.sha256: clip for clip in before}
    new = {clip.sha256: clip for clip in after}
    return Difference(
        added=tuple(clip for sha256, clip in new.items() if sha256 not in old),
        removed=tuple(clip for sha256, clip in old.items() if sha256 not in new),
        relabelled=tuple(
            (old[sha256], clip)
            for sha256, clip in new.items()
            if sha256 in old and old[sha256].label != clip.label
        ),
    )
