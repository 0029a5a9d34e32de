"""Clips, and what becomes of one whose bytes are sent a second time.

The same bytes are one clip in a domain, so a second sender makes a claim about the first one's
clip. `claimed` says what then stands in the row ("label" is the label with its mask, if any):

    stored         claim                          the row then says
    any            no label, or rejected          what it said
    any            the same label                 what it said; a quarantined clip is accepted
                                                  if the claim is
    accepted       another label                  what it said: Conflict, an admin may relabel
    quarantined    another label                  the claim: the last one stands for review,
                                                  an accepted one needs none
    no label yet   a label                        the claim
    rejected       another label                  the claim, quarantined: somebody looked at
                                                  this clip before and should look again

Of a clip without a group a claim may name one, whatever it says of the label; the first one stays,
unless an admin names another (`regroup`).
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update

from data.database.schema import (
    ClipState,
    Detail,
    FeedbackState,
    HeldFor,
    clip_flags,
    clips,
    feedback,
    fields_of,
    learnt,
    left_out,
    now,
    predictions,
    snapshot_clips,
)
from data.errors import Conflict, UnknownName
from data.store.events import record


@dataclass(frozen=True)
class Clip:
    domain: str
    sha256: str
    label: str | None
    group: str | None  # what must stay on one side of a split: a recording, a speaker, a patient
    state: ClipState
    reason: str
    who: str
    source: str
    size_bytes: int
    duration_s: float
    sample_rate_hz: int
    created_at: datetime
    split: HeldFor | None = None  # what whoever imported it wanted it for
    mask: str | None = None  # the sha256 of a picture of what the label is true of


@dataclass(frozen=True)
class NewClip:
    raw: bytes = field(repr=False)
    domain: str
    label: str | None
    group: str | None
    state: ClipState
    source: str
    duration_s: float
    sample_rate_hz: int
    reason: str = ""
    split: HeldFor | None = None
    mask: bytes | None = field(default=None, repr=False)

    @property
    def mask_sha256(self) -> str | None:
        return hashlib.sha256(self.mask).hexdigest() if self.mask is not None else None


CLIP = select(*fields_of(clips, Clip))


def find_clip(connection: Connection, domain: str, sha256: str) -> Clip | None:
    query = CLIP.where(clips.c.domain == domain, clips.c.sha256 == sha256)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else Clip(**row)


def known_clip(connection: Connection, domain: str, sha256: str) -> Clip:
    clip = find_clip(connection, domain, sha256)
    if clip is None:
        raise UnknownName(f"{domain} has no clip {sha256!r}")
    return clip


def claimed(stored: Clip, new: NewClip, who: str) -> Clip:
    """What the row says after a second sender's claim; raises Conflict. See the table above."""
    if new.label is None or new.state == "rejected":
        return stored
    claim = replace(
        stored,
        label=new.label,
        mask=new.mask_sha256,
        state=new.state,
        reason=new.reason,
        who=who,
    )
    if (claim.label, claim.mask) == (stored.label, stored.mask):
        return claim if (stored.state, new.state) == ("quarantined", "accepted") else stored
    if stored.state == "rejected":
        return replace(claim, state="quarantined", reason=f"was rejected as {stored.label!r}")
    if stored.state == "accepted" and stored.label is not None:
        known = f"clip {stored.sha256[:12]} is already known as {stored.label!r}"
        if claim.label == stored.label:
            raise Conflict(f"{known} with another mask; an admin's correction can replace that")
        raise Conflict(f"{known}, so it was not stored as {new.label!r}; an admin can relabel it")
    return claim


def fill_group(connection: Connection, stored: Clip, new: NewClip, who: str) -> Clip:
    """What waits for review, or is refused, names none of a clip that counts."""
    waits = stored.state == "accepted" and new.state != "accepted"
    if stored.group is not None or new.group is None or new.state == "rejected" or waits:
        return stored
    connection.execute(update(clips).where(_is(stored)).values(group=new.group))
    record_clip(connection, stored, "clip.grouped", who, {"group": new.group})
    return replace(stored, group=new.group)


def is_new() -> ColumnElement[bool]:
    """Whether a retrain would change what is learnt of a clip: see `ClipStore.count_new`."""
    learnt_as, accepted = clips.c.learnt_label, clips.c.state == "accepted"
    to_learn = accepted & learnt_as.is_distinct_from(clips.c.label)
    to_unlearn = ~accepted & learnt_as.is_not(None)
    held_back = exists().where(clip_flags.c.clip_id == clips.c.id, clip_flags.c.kind == "harm")
    return (to_learn & ~held_back) | to_unlearn


def regroup(connection: Connection, before: Clip, group: str | None, *, who: str) -> Clip:
    """Its label and state stand; the group is that of the next training on."""
    connection.execute(update(clips).where(_is(before)).values(group=group))
    record_clip(connection, before, "clip.grouped", who, {"group": group, "before": before.group})
    return replace(before, group=group)


def insert_clip(connection: Connection, clip: Clip) -> None:
    connection.execute(insert(clips).values(changed_at=clip.created_at, **vars(clip)))
    detail = {"label": clip.label, "state": clip.state, "reason": clip.reason}
    record_clip(connection, clip, "clip.added", clip.who, {**detail, "source": clip.source})


def decide(connection: Connection, before: Clip, after: Clip, *, kind: str, who: str) -> Clip:
    """Write what changed into the clip's row, its event, and the receipts that waited."""
    if after.state == "accepted" and after.label is None:
        raise Conflict(f"clip {after.sha256[:12]} has no label yet; relabel it, then accept it")
    changes = {"label": after.label, "state": after.state, "reason": after.reason}
    row: dict[str, object] = {**changes, "who": after.who, "changed_at": now()}
    if after.mask != before.mask:
        row |= {"mask": after.mask, "learnt_label": None}  # new, though its label is the same
    connection.execute(update(clips).where(_is(after)).values(row))
    if after.label != before.label:
        # What was said of it, was said of the old label.
        ids = select(clips.c.id).where(_is(after))
        connection.execute(delete(clip_flags).where(clip_flags.c.clip_id.in_(ids)))
    was = {"label": before.label, "state": before.state}
    record_clip(connection, after, kind, who, {**changes, "before": was})
    settle_by(connection, after, who=who)
    return after


def set_state(
    connection: Connection, domain: str, sha256: str, state: ClipState, *, who: str, reason: str
) -> Clip:
    before = known_clip(connection, domain, sha256)
    if before.state == state:
        settle_by(connection, before, who=who)
        return before
    after = replace(before, state=state, reason=reason)
    return decide(connection, before, after, kind=f"clip.{state}", who=who)


def relabel(
    connection: Connection, domain: str, sha256: str, label: str, *, who: str, mask: str | None
) -> Clip:
    before = known_clip(connection, domain, sha256)
    if (before.label, before.mask) == (label, mask):
        return before
    after = replace(before, label=label, mask=mask)
    return decide(connection, before, after, kind="clip.relabelled", who=who)


def settle_by(connection: Connection, clip: Clip, *, who: str) -> None:
    """What the clip's state means for its receipts."""
    if clip.state == "accepted":
        settle(connection, clip, clip.label, why=f"the clip is {clip.label!r}", who=who)
    elif clip.state == "rejected":
        # Its accepted receipts will not be learnt either: they must say so.
        open_ = _WAITING | ((feedback.c.state == "accepted") & feedback.c.learnt_version.is_(None))
        settle(connection, clip, None, why=clip.reason, who=who, which=open_)
    elif clip.state == "quarantined":
        _wait(connection, clip, who=who)


_WAITING = feedback.c.state == "quarantined"


def forget_learnt(connection: Connection, clip: Clip) -> None:
    """Its receipts name no version as the one that learnt it: from now on none is to hold it."""
    said = (feedback.c.domain == clip.domain) & (feedback.c.clip_sha256 == clip.sha256)
    connection.execute(
        update(feedback)
        .where(said, feedback.c.state == "accepted")
        .values(learnt_version=None, after_label=None, after_confidence=None)
    )


def _wait(connection: Connection, clip: Clip, *, who: str) -> None:
    """Receipts that counted, and that no version has learnt, wait again with their clip."""
    counted = select(feedback.c.receipt).where(
        feedback.c.domain == clip.domain,
        feedback.c.clip_sha256 == clip.sha256,
        feedback.c.state == "accepted",
        feedback.c.learnt_version.is_(None),
    )
    for receipt in connection.execute(counted).scalars().all():
        judge(connection, receipt, clip.domain, state="quarantined", reason=clip.reason, who=who)


def settle(
    connection: Connection,
    clip: Clip,
    right: str | None,
    *,
    why: str,
    who: str,
    which: ColumnElement[bool] = _WAITING,
) -> None:
    """Accept the waiting receipts that say the `right` label (and the clip's mask), or none, which
    then say that; reject the others for `why`."""
    waiting = connection.execute(
        select(feedback.c.receipt, feedback.c.corrected, feedback.c.mask).where(
            feedback.c.domain == clip.domain, feedback.c.clip_sha256 == clip.sha256, which
        )
    )
    for receipt, corrected, mask in waiting.all():
        silent = not corrected and right is not None
        if silent:
            said = update(feedback).where(feedback.c.receipt == receipt)
            connection.execute(said.values(corrected=right, mask=clip.mask))
        agreed = silent or (corrected, mask) == (right, clip.mask)
        state: FeedbackState = "accepted" if agreed else "rejected"
        reason = why if state == "rejected" else ""
        judge(connection, receipt, clip.domain, state=state, reason=reason, who=who)


def judge(
    connection: Connection,
    receipt: str,
    domain: str,
    *,
    state: FeedbackState,
    reason: str,
    who: str,
) -> None:
    """Write the outcome on one receipt, with its event; where it came from is forgotten."""
    changes = {"state": state, "reason": reason, "address": None}
    connection.execute(update(feedback).where(feedback.c.receipt == receipt).values(changes))
    record(
        connection,
        f"feedback.{state}",
        subject=f"feedback:{receipt}",
        who=who,
        domain=domain,
        detail={"reason": reason},
    )


def forget_clip(connection: Connection, clip: Clip, *, who: str) -> list[str]:
    """Delete the row, and with it the clip's place in snapshots: the versions that learnt it."""
    versions = _versions_that_learnt(connection, clip)
    settle(connection, clip, None, why="the clip was forgotten", who=who)
    said_of_it = (feedback.c.domain == clip.domain) & (feedback.c.clip_sha256 == clip.sha256)
    connection.execute(update(feedback).where(said_of_it).values(mask=None))
    connection.execute(delete(clips).where(_is(clip)))
    record_clip(
        connection, clip, "clip.forgotten", who, {"label": clip.label, "versions": versions}
    )
    return versions


def forget_answers(connection: Connection, domain: str, sha256: str, *, who: str) -> int:
    """How many predictions were kept of it."""
    of_it = (predictions.c.domain == domain) & (predictions.c.clip_sha256 == sha256)
    count = connection.execute(delete(predictions).where(of_it)).rowcount
    if count:
        subject, kind = f"clip:{sha256}", "clip.answers_forgotten"
        record(connection, kind, subject=subject, who=who, domain=domain, detail={"answers": count})
    return count


def _versions_that_learnt(connection: Connection, clip: Clip) -> list[str]:
    without = exists().where(
        left_out.c.snapshot_id == learnt.c.snapshot_id,
        left_out.c.version == learnt.c.version,
        left_out.c.clip_id == clips.c.id,
    )
    query = (
        select(learnt.c.version)
        .join(snapshot_clips, snapshot_clips.c.snapshot_id == learnt.c.snapshot_id)
        .join(clips, clips.c.id == snapshot_clips.c.clip_id)
        .where(_is(clip), ~without)
        .group_by(learnt.c.version)
        .order_by(func.min(learnt.c.at), learnt.c.version)
    )
    return list(connection.execute(query).scalars())


def _is(clip: Clip) -> ColumnElement[bool]:
    return (clips.c.domain == clip.domain) & (clips.c.sha256 == clip.sha256)


def record_clip(connection: Connection, clip: Clip, kind: str, who: str, detail: Detail) -> None:
    subject = f"clip:{clip.sha256}"
    record(connection, kind, subject=subject, who=who, domain=clip.domain, detail=detail)
