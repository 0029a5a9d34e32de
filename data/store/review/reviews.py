"""What an admin decides of a clip, and taking it back.

A review is all that one decision changes, in one transaction: the clip's row, the flags on it and
the receipts that are settled with it. Its event (`clip.reviewed`) holds what they were before, so
that an undo needs nothing else; that is an event, too, and the one before it can be undone next.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from data.database.database import Database
from data.database.schema import clip_flags, clips, events, feedback, now
from data.errors import Conflict
from data.store.blobs import Blobs
from data.store.clips.clip_rows import Clip, judge, known_clip, record_clip, relabel, set_state
from data.store.review.flags import dismiss

REVIEWED, UNDONE, ADDED = "clip.reviewed", "clip.review_undone", "clip.added"
STANDS = ("label", "state", "mask")  # by which a clip is seen to be as a review left it

Picture = dict[str, Any]


class Reviews:
    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def accept(self, domain: str, sha256: str, *, who: str) -> Clip:
        """Right as it is; raises Conflict for a clip without a label."""
        with (
            self._database.write() as connection,
            reviewed(connection, domain, sha256, "accepted", who=who),
        ):
            found = set_state(connection, domain, sha256, "accepted", who=who, reason="")
            dismiss(connection, domain, sha256, who=who)
            return found

    def reject(self, domain: str, sha256: str, *, who: str, reason: str = "") -> Clip:
        with (
            self._database.write() as connection,
            reviewed(connection, domain, sha256, "rejected", who=who),
        ):
            found = set_state(connection, domain, sha256, "rejected", who=who, reason=reason)
            dismiss(connection, domain, sha256, who=who)
            return found

    def relabel(self, domain: str, sha256: str, label: str, *, who: str) -> Clip:
        """True of all of the clip: it has no mask then."""
        with (
            self._database.write() as connection,
            reviewed(connection, domain, sha256, "relabelled", who=who),
        ):
            return relabel(connection, domain, sha256, label, who=who, mask=None)

    def undo(self, domain: str, sha256: str, *, who: str) -> Clip:
        """The clip as it was before its last review that stands; raises Conflict where there is
        none, or where something else has changed the clip since."""
        with self._database.write() as connection:
            clip = known_clip(connection, domain, sha256)
            number, review = _last(connection, clip)
            before, after = review["before"], review["after"]
            if after != {name: getattr(clip, name) for name in STANDS}:
                raise Conflict(
                    f"clip {sha256[:12]} has changed since it was {review['did']}: it is "
                    f"{clip.state} as {clip.label!r}; decide on it anew"
                )
            if before["mask"] and not self._blobs.has(before["mask"]):
                raise Conflict("the mask that it had is deleted by now; send it again")
            _restore(connection, clip, before, who)
            detail = {"undid": number, "did": review["did"], "before": after}
            record_clip(connection, clip, UNDONE, who, detail)
            return known_clip(connection, domain, sha256)


@contextmanager
def reviewed(
    connection: Connection, domain: str, sha256: str, did: str, *, who: str
) -> Iterator[Clip]:
    """What changes inside the block is one review, which can be undone. Raises UnknownName."""
    clip = known_clip(connection, domain, sha256)
    before = _picture(connection, clip)
    yield clip
    changed = known_clip(connection, domain, sha256)
    if _picture(connection, changed) != before:
        after = {name: getattr(changed, name) for name in STANDS}
        record_clip(connection, clip, REVIEWED, who, {"did": did, "before": before, "after": after})


def _picture(connection: Connection, clip: Clip) -> Picture:
    """All that a review may change, as JSON has it."""
    open_ = (feedback.c.state != "rejected") & feedback.c.learnt_version.is_(None)
    said = (feedback.c.corrected, feedback.c.mask)
    receipts = select(feedback.c.receipt, feedback.c.state, feedback.c.reason, *said)
    receipts = receipts.where(_said(clip), open_).order_by(feedback.c.id)
    flags = select(clip_flags).where(clip_flags.c.clip_id.in_(_id(clip)))
    return {
        **{name: getattr(clip, name) for name in ("label", "state", "mask", "reason", "who")},
        "receipts": [list(row) for row in connection.execute(receipts)],
        "flags": [
            [row.kind, row.reason, row.score, row.at.isoformat(), row.dismissed]
            for row in connection.execute(flags.order_by(clip_flags.c.kind))
        ],
    }


def _last(connection: Connection, clip: Clip) -> tuple[int, Picture]:
    """The newest review of this very clip that nobody has undone, with its event's number."""
    query = (
        select(events.c.id, events.c.kind, events.c.detail)
        .where(events.c.subject == f"clip:{clip.sha256}", events.c.domain == clip.domain)
        .where(events.c.kind.in_((REVIEWED, UNDONE, ADDED)))
        .order_by(events.c.id.desc())
    )
    undone = set()
    for number, kind, detail in connection.execute(query):
        if kind == ADDED:  # what was before was of a clip that has been forgotten
            break
        if kind == UNDONE:
            undone.add(detail["undid"])
        elif number not in undone:
            return number, detail
    raise Conflict(f"clip {clip.sha256[:12]} has no review that could be undone")


def _restore(connection: Connection, clip: Clip, before: Picture, who: str) -> None:
    """What was said of the clip since then stays as it is."""
    row: dict[str, object] = {name: before[name] for name in (*STANDS, "reason", "who")}
    if before["mask"] != clip.mask:
        row["learnt_label"] = None  # to be learnt anew, though the label may be the same
    connection.execute(
        update(clips).where(clips.c.id.in_(_id(clip))).values(changed_at=now(), **row)
    )
    _restore_receipts(connection, clip, before["receipts"], who)
    _restore_flags(connection, clip, before["flags"])


def _restore_receipts(
    connection: Connection, clip: Clip, receipts: list[list[Any]], who: str
) -> None:
    """But for those that a version has learnt meanwhile."""
    query = select(feedback.c.receipt, feedback.c.state).where(
        _said(clip), feedback.c.learnt_version.is_(None)
    )
    states = dict(connection.execute(query).all())
    for receipt, state, reason, corrected, mask in receipts:
        if states.get(receipt, state) != state:
            judge(connection, receipt, clip.domain, state=state, reason=reason, who=who)
            one = update(feedback).where(feedback.c.receipt == receipt)
            connection.execute(one.values(corrected=corrected, mask=mask))


def _restore_flags(connection: Connection, clip: Clip, flags: list[list[Any]]) -> None:
    if not flags:
        return
    number = connection.execute(_id(clip)).scalar_one()
    rows = [
        {
            "clip_id": number,
            "kind": kind,
            "reason": reason,
            "score": score,
            "at": datetime.fromisoformat(at),
            "dismissed": dismissed,
        }
        for kind, reason, score, at, dismissed in flags
    ]
    mine = (clip_flags.c.clip_id == number) & clip_flags.c.kind.in_([row["kind"] for row in rows])
    connection.execute(delete(clip_flags).where(mine))
    connection.execute(insert(clip_flags), rows)


def _said(clip: Clip) -> Any:
    return (feedback.c.domain == clip.domain) & (feedback.c.clip_sha256 == clip.sha256)


def _id(clip: Clip) -> Any:
    return select(clips.c.id).where(clips.c.domain == clip.domain, clips.c.sha256 == clip.sha256)
