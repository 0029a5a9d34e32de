"""Corrections and their receipts: what a person said, what became of it, what it changed."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict, Unpack

from sqlalchemy import Connection, func, insert, select

from data.database.database import Database
from data.database.schema import Detail, FeedbackState, feedback, fields_of, now
from data.errors import Conflict, UnknownName
from data.store.clips.clip_rows import NewClip, decide, judge, known_clip, relabel
from data.store.clips.clip_store import ClipStore, add_clip
from data.store.events import record
from data.store.review.reviews import reviewed


@dataclass(frozen=True)
class Feedback:
    receipt: str
    domain: str
    clip_sha256: str
    predicted: str
    confidence: float
    corrected: str  # "" where it was only said that the answer is wrong
    version: str  # the one that predicted
    state: FeedbackState
    reason: str
    who: str
    created_at: datetime
    snapshot: str | None = None
    learnt_version: str | None = None
    after_label: str | None = None
    after_confidence: float | None = None
    mask: str | None = None  # the sha256 of where in the clip it is true


FEEDBACK = select(*fields_of(feedback, Feedback))


class NewFeedback(TypedDict):
    """What is said of a clip that comes with it."""

    predicted: str
    confidence: float
    corrected: str
    version: str
    state: FeedbackState
    reason: str
    who: str


class Corrections:
    def __init__(self, database: Database, clips: ClipStore) -> None:
        self._database = database
        self._clips = clips

    def keep(self, new: NewClip, *, may_relabel: bool, **said: Unpack[NewFeedback]) -> Feedback:
        """The clip and its receipt, both or neither. Where the clip counts already with another
        label it has this one at once, or the correction waits for who may say so."""
        with self._clips.storing([new]) as (connection, ((sha256, _),)):
            outcome = add_clip(connection, sha256, new, said["who"])
            if isinstance(outcome, Conflict) and may_relabel:
                label, mask = said["corrected"], new.mask_sha256
                relabel(connection, new.domain, sha256, label, who=said["who"], mask=mask)
            elif isinstance(outcome, Conflict):
                said |= {"state": "quarantined", "reason": str(outcome)}
            return write_correction(connection, sha256, new, said)

    def get(self, receipt: str) -> Feedback:
        with self._database.read() as connection:
            return _known(connection, receipt)

    def find(
        self,
        domain: str,
        *,
        state: FeedbackState | None = None,
        clips: Sequence[str] | None = None,
        limit: int | None = 100,
        offset: int = 0,
    ) -> list[Feedback]:
        """Oldest first, as a review works them off; of these clips where they are named; all of
        them without a limit."""
        query = FEEDBACK.where(feedback.c.domain == domain)
        if state is not None:
            query = query.where(feedback.c.state == state)
        if clips is not None:
            query = query.where(feedback.c.clip_sha256.in_(clips))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(feedback.c.id).limit(limit).offset(offset))
            return [Feedback(**row) for row in rows.mappings()]

    def answered(
        self, domain: str, clips: Sequence[str] | None = None
    ) -> dict[str, tuple[str, float, str]]:
        """Label, confidence and version that the newest correction of each clip was answered
        with, of these clips or of all."""
        newest = select(func.max(feedback.c.id)).where(feedback.c.domain == domain)
        if clips is not None:
            newest = newest.where(feedback.c.clip_sha256.in_(clips))
        newest = newest.group_by(feedback.c.clip_sha256)
        answer = (feedback.c.predicted, feedback.c.confidence, feedback.c.version)
        query = select(feedback.c.clip_sha256, *answer).where(feedback.c.id.in_(newest))
        with self._database.read() as connection:
            return {
                row.clip_sha256: (row.predicted, row.confidence, row.version)
                for row in connection.execute(query)
            }

    def of_sender(
        self,
        domain: str,
        who: str,
        *,
        state: FeedbackState | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Feedback]:
        """Newest first."""
        query = FEEDBACK.where(feedback.c.domain == domain, feedback.c.who == who)
        if state is not None:
            query = query.where(feedback.c.state == state)
        query = query.order_by(feedback.c.id.desc()).limit(limit).offset(offset)
        with self._database.read() as connection:
            return [Feedback(**row) for row in connection.execute(query).mappings()]

    def accept(self, receipt: str, *, who: str) -> Feedback:
        """The clip gets the corrected label and counts; other receipts of it are settled too."""
        with self._database.write() as connection:
            said = _waiting(connection, receipt, "accepted")
            if said.state == "quarantined":
                clip = said.domain, said.clip_sha256
                with reviewed(connection, *clip, "accepted", who=who) as before:
                    label = said.corrected or None  # one without a label waits for that
                    after = replace(
                        before, label=label, mask=said.mask, state="accepted", reason=""
                    )
                    decide(connection, before, after, kind="clip.accepted", who=who)
            return _known(connection, receipt)

    def reject(self, receipt: str, *, who: str, reason: str = "") -> Feedback:
        """The clip is rejected with it, unless it is accepted already or others wait on it."""
        with self._database.write() as connection:
            said = _waiting(connection, receipt, "rejected")
            if said.state == "quarantined":
                clip = said.domain, said.clip_sha256
                with reviewed(connection, *clip, "rejected", who=who) as before:
                    judge(connection, receipt, clip[0], state="rejected", reason=reason, who=who)
                    if before.state == "quarantined" and not others_wait(connection, said):
                        after = replace(before, state="rejected", reason=reason)
                        decide(connection, before, after, kind="clip.rejected", who=who)
            return _known(connection, receipt)


def write_correction(
    connection: Connection,
    sha256: str,
    sent: NewClip,
    said: NewFeedback,
    *,
    address: str | None = None,
    size_bytes: int | None = None,
) -> Feedback:
    """A correction that says what the clip is accepted as is accepted too; one that says
    otherwise waits for review, whatever its `state` asks for. With an address, the same said again
    is the receipt that there is: who needs no key could else add rows without end."""
    clip = known_clip(connection, sent.domain, sha256)
    label, mask = said["corrected"], sent.mask_sha256
    agreed = clip.state == "accepted" and (clip.label, clip.mask) == (label, mask)
    if agreed and said["state"] == "quarantined":
        said = {**said, "state": "accepted", "reason": ""}
    elif said["state"] == "accepted" and not agreed:
        reason = f"the clip is {clip.state} as {clip.label!r}"
        said = {**said, "state": "quarantined", "reason": reason}
    new = Feedback(
        receipt=secrets.token_hex(12),
        domain=clip.domain,
        clip_sha256=sha256,
        mask=mask,
        created_at=now(),
        **said,
    )
    before = None if address is None else _said_before(connection, new)
    if before is not None:
        return before
    waits = {"address": address, "size_bytes": size_bytes} if new.state == "quarantined" else {}
    connection.execute(insert(feedback).values(**vars(new), **waits))
    detail = {"clip": new.clip_sha256, "predicted": new.predicted, "corrected": new.corrected}
    _record(connection, new, "feedback.added", {**detail, "state": new.state, "reason": new.reason})
    return new


def _said_before(connection: Connection, new: Feedback) -> Feedback | None:
    names = ("domain", "clip_sha256", "corrected", "mask", "state", "reason", "who")
    query = FEEDBACK.filter_by(**{name: getattr(new, name) for name in names})
    row = connection.execute(query.limit(1)).mappings().first()
    return None if row is None else Feedback(**row)


def _known(connection: Connection, receipt: str) -> Feedback:
    row = connection.execute(FEEDBACK.where(feedback.c.receipt == receipt)).mappings().one_or_none()
    if row is None:
        raise UnknownName(f"there is no receipt {receipt!r}")
    return Feedback(**row)


def _record(connection: Connection, new: Feedback, kind: str, detail: Detail) -> None:
    subject = f"feedback:{new.receipt}"
    record(connection, kind, subject=subject, who=new.who, domain=new.domain, detail=detail)


def _waiting(connection: Connection, receipt: str, wanted: FeedbackState) -> Feedback:
    """The correction, if it waits or has the wanted outcome already; else raises Conflict."""
    said = _known(connection, receipt)
    if said.state not in ("quarantined", wanted):
        raise Conflict(
            f"receipt {receipt!r} is already {said.state}; to change what the clip teaches, "
            "relabel the clip or set its state"
        )
    return said


def others_wait(connection: Connection, said: Feedback) -> bool:
    query = select(feedback.c.id).where(
        feedback.c.domain == said.domain,
        feedback.c.clip_sha256 == said.clip_sha256,
        feedback.c.state == "quarantined",
    )
    return connection.execute(query.limit(1)).first() is not None
