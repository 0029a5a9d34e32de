"""Which versions of a model learnt from a snapshot, and what its clips and their receipts are told.

A snapshot is named by its number here, that of its row, but on receipts by its digest.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from data.database.schema import clips, feedback, learnt, left_out, now, snapshot_clips
from data.store.clips.clip_rows import Clip


def note_learner(
    connection: Connection, number: int | None, version: str, but: Collection[int]
) -> None:
    """`version` has learnt the snapshot's clips, less those with these numbers."""
    row = {"snapshot_id": number, "version": version}
    if connection.execute(select(learnt).filter_by(**row)).first() is None:
        connection.execute(insert(learnt).values(at=now(), **row))
    connection.execute(
        delete(left_out).where(left_out.c.snapshot_id == number, left_out.c.version == version)
    )
    if but:
        connection.execute(insert(left_out), [{**row, "clip_id": clip} for clip in but])


def listed_among(connection: Connection, number: int | None, sha256s: Collection[str]) -> set[int]:
    """The numbers of the snapshot's clips that are among these."""
    query = (
        select(clips.c.id, clips.c.sha256)
        .join(snapshot_clips, snapshot_clips.c.clip_id == clips.c.id)
        .where(snapshot_clips.c.snapshot_id == number)
    )
    among = set(sha256s)
    return {clip for clip, sha256 in connection.execute(query) if sha256 in among}


def learners(connection: Connection) -> dict[int, list[str]]:
    """The versions that learnt from each snapshot, oldest first."""
    versions = select(learnt).order_by(learnt.c.at)
    by_snapshot: dict[int, list[str]] = {}
    for row in connection.execute(versions).mappings():
        by_snapshot.setdefault(row["snapshot_id"], []).append(row["version"])
    return by_snapshot


def no_longer_new(
    connection: Connection, domain: str, number: int | None, but: Collection[int]
) -> None:
    """The snapshot's clips, less those with these numbers, count as learnt under their labels
    then, and no others of the domain."""
    held = snapshot_clips.c.snapshot_id == number
    label = select(snapshot_clips.c.label).where(held, snapshot_clips.c.clip_id == clips.c.id)
    # A mask that was drawn anew since then is still to be learnt.
    as_learnt = snapshot_clips.c.mask.is_not_distinct_from(clips.c.mask)
    ids = select(snapshot_clips.c.clip_id).where(held, as_learnt)
    listed = clips.c.id.in_(ids)
    connection.execute(update(clips).where(listed).values(learnt_label=label.scalar_subquery()))
    if but:
        one = update(clips).where(clips.c.id == bindparam("number")).values(learnt_label=None)
        connection.execute(one, [{"number": clip} for clip in but])
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
    """Receipts of listed clips show what the first version that learnt them answers; where that
    one had only heard them, the first that answers as they say."""
    answers = [(clip, *after[clip.sha256]) for clip in listed if clip.sha256 in after]
    for clip, label, confidence in answers:
        said = update(feedback).filter_by(
            domain=clip.domain,
            clip_sha256=clip.sha256,
            corrected=clip.label,
            mask=clip.mask,
            state="accepted",
        )
        first = feedback.c.learnt_version.is_(None)
        only_heard = (feedback.c.after_label != clip.label) & (label == clip.label)
        connection.execute(
            said.where(first | only_heard).values(
                snapshot=snapshot_id,
                learnt_version=version,
                after_label=label,
                after_confidence=confidence,
            )
        )


def corrections_learnt(connection: Connection, domain: str, version: str) -> dict[str, int]:
    """How many corrections of a wrong label this version was the first to learn, and how many of
    those it has fixed: it answers as they say."""
    said = feedback.c.corrected
    wrong = (
        (feedback.c.domain == domain)
        & (feedback.c.learnt_version == version)
        & (feedback.c.predicted != said)
    )
    counted = {"corrections": wrong, "fixed": wrong & (feedback.c.after_label == said)}
    count = select(func.count()).select_from(feedback)
    return {
        name: connection.execute(count.where(rows)).scalar_one() for name, rows in counted.items()
    }
