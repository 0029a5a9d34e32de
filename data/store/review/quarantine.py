"""Corrections of people without a key: how many may wait for an admin, and who makes room.

All of them together may take a share of the disk. Where that is full the oldest makes room, so that
whoever comes next is heard, too; one address may fill a tenth of it. Near the end of the disk what
is left is for callers with a key. The sender's address is kept as long as the correction waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from sqlalchemy import Connection, func, select, update

from data.database.database import Database
from data.database.schema import feedback
from data.errors import Conflict, DiskFull, Overloaded
from data.store.clips.clip_rows import NewClip, find_clip, forget_clip, judge
from data.store.clips.clip_store import ClipStore, add_clip, masks_of
from data.store.disk import Disk
from data.store.review.feedback import (
    FEEDBACK,
    Feedback,
    NewFeedback,
    others_wait,
    write_correction,
)

MOST_BYTES, DISK_SHARE = 1024**3, 0.1  # of what is free or theirs already, whichever is less
MOST = 10_000
ADDRESS_SHARE, MOST_OF_ADDRESS = 0.1, 100
RETRY_AFTER_S = 3600  # an admin has to look at them
NEARLY_FULL = (
    "the disk is nearly full, and what is left is for callers with a key; send the correction with "
    "one, or later"
)
MADE_ROOM = "it waited longest when newer corrections without a key needed its room; send it again"


@dataclass(frozen=True)
class Waiting:
    corrections: int
    size_bytes: int


class Quarantine:
    def __init__(
        self, database: Database, clips: ClipStore, disk: Callable[[], Disk | None]
    ) -> None:
        self._database = database
        self._clips = clips
        self._disk = disk

    def add(self, new: NewClip, *, address: str, **said: Unpack[NewFeedback]) -> Feedback:
        """The clip and its receipt, which waits unless it agrees with what is known. Raises
        Overloaded where too many from this address wait, and DiskFull where there is only room for
        callers with a key."""
        size = len(new.raw) + len(new.mask or b"")
        with self._database.read() as connection:  # before anything is written
            self._must_have_room(connection, address, size)
        freed: list[str] = []
        with self._clips.storing([new]) as (connection, ((sha256, _),)):
            most_bytes = self._must_have_room(connection, address, size)
            freed = _make_room(connection, size, most_bytes)
            outcome = add_clip(connection, sha256, new, said["who"])
            if isinstance(outcome, Conflict):
                said["reason"] = str(outcome)
            kept = write_correction(connection, sha256, new, said, address=address, size_bytes=size)
        self._clips.delete_unused(freed)
        return kept

    def _must_have_room(self, connection: Connection, address: str, size: int) -> int:
        """How many bytes all of them may take."""
        disk, everybody = self._disk(), _waiting(connection)
        most_bytes = MOST_BYTES
        if disk is not None:
            most_bytes = min(MOST_BYTES, int(DISK_SHARE * (disk.free_bytes + everybody.size_bytes)))
            if disk.spare_bytes < size or most_bytes < size:
                raise DiskFull(NEARLY_FULL)
        own = _waiting(connection, address)
        too_large = own.size_bytes + size > ADDRESS_SHARE * most_bytes
        if own.corrections >= MOST_OF_ADDRESS or (own.corrections and too_large):
            raise Overloaded(
                f"{own.corrections} corrections without a key ({own.size_bytes / 1e6:.1f} MB) from "
                "your address wait for an admin already; send this one with a key, or later",
                RETRY_AFTER_S,
            )
        return most_bytes


def _waiting(connection: Connection, address: str | None = None) -> Waiting:
    sent = feedback.c.address.is_not(None) if address is None else feedback.c.address == address
    query = select(func.count(), func.sum(feedback.c.size_bytes)).where(sent)
    count, size = connection.execute(query).one()
    return Waiting(count, int(size or 0))


def _make_room(connection: Connection, size: int, most_bytes: int) -> list[str]:
    """The digests of what was deleted, to be removed when that is committed."""
    freed: list[str] = []
    waiting = _waiting(connection)
    while waiting.corrections >= MOST or waiting.size_bytes + size > most_bytes:
        query = FEEDBACK.where(feedback.c.address.is_not(None)).order_by(feedback.c.id).limit(1)
        row = connection.execute(query).mappings().first()
        if row is None:
            break
        freed += _give_way(connection, Feedback(**row))
        waiting = _waiting(connection)
    return freed


def _give_way(connection: Connection, said: Feedback) -> list[str]:
    judge(connection, said.receipt, said.domain, state="rejected", reason=MADE_ROOM, who="telltale")
    clip = find_clip(connection, said.domain, said.clip_sha256)
    # Not one that somebody with a key has sent or decided upon, nor one that others speak of.
    theirs = clip is not None and (clip.state, clip.who) == ("quarantined", said.who)
    if clip is not None and theirs and not others_wait(connection, said):
        freed = [clip.sha256, *masks_of(connection, clip)]
        forget_clip(connection, clip, who="telltale")
        return freed
    mask = update(feedback).where(feedback.c.receipt == said.receipt).values(mask=None)
    connection.execute(mask)
    return [said.mask] if said.mask else []
