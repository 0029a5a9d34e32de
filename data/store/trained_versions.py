"""Which versions of a model learnt from a snapshot, and what its clips and their receipts are told.

A snapshot is named by its number here, that of its row, but on receipts by its digest.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, insert, select, update

from data.store.clip_rows import Clip
from data.store.schema import clips, feedback, learnt, now, snapshot_clips


def note_learner(connection: Connection, number: int | None, version: str) -> None:
    row = {"snapshot_id": number, "version": version}
    if connection.execute(select(learnt).filter_by(**row)).first() is None:
        connection.execute(insert(learnt).values(at=now(), **row))


def learners(connection: Connection) -> dict[int, list[str]]:
    """The versions that learnt from each snapshot, oldest first."""
    versions = select(learnt).order_by(learnt.c.at)
    by_snapshot: dict[int, list[str]] = {}
    for row in connection.execute(versions).mappings():
        by_snapshot.setdefault(row["snapshot_id"], []).append(row["version"])
    return by_snapshot


def no_longer_new(
    connection: Connection, domain: str, number: int | None, left_out: Collection[str]
) -> None:
    """The snapshot's clips, less those `left_out`, count as learnt under their labels then, and
    no others of the domain."""
    held = snapshot_clips.c.snapshot_id == number
    label = select(snapshot_clips.c.label).where(held, snapshot_clips.c.clip_id == clips.c.id)
    # A mask that was drawn anew since then is still to be learnt.
    as_learnt = snapshot_clips.c.mask.is_not_distinct_from(clips.c.mask)
    ids = select(snapshot_clips.c.clip_id).where(held, as_learnt)
    listed = clips.c.id.in_(ids) & clips.c.sha256.not_in(sorted(left_out))
    connection.execute(update(clips).where(listed).values(learnt_label=label.scalar_subquery()))
    others = clips.c.id.not_in(select(snapshot_clips.c.clip_id).where(held))
    of_domain = (clips.c.domain == domain) & clips.c.learnt_label.is_not(None)
    connection.execute(update(clips).where(of_domain, others).values(learnt_label=None))


def answer_receipts(
    connection: Connection,
    snapshot_id: str,
    listed: Iterable[Clip],
    version: str,
    after: Mapping[str, tuple[str, float]],
) -> None:
    """Receipts of listed clips show what the first version that learnt them answers."""
    answers = [(clip, *after[clip.sha256]) for clip in listed if clip.sha256 in after]
    for clip, label, confidence in answers:
        waiting = update(feedback).filter_by(
            domain=clip.domain,
            clip_sha256=clip.sha256,
            corrected=clip.label,
            mask=clip.mask,
            state="accepted",
            learnt_version=None,
        )
        connection.execute(
            waiting.values(
                snapshot=snapshot_id,
                learnt_version=version,
                after_label=label,
                after_confidence=confidence,
            )
        )
