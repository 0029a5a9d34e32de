"""Recordings that come in parts, each a blob of its own until all of it is there and heard.

A part is stored first, under a name that nobody else has, and counts once its row says so: of two
that come for the same place one counts, and a process that is killed leaves bytes that nobody sees,
until `purge` removes them.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO

from sqlalchemy import Connection, delete, func, insert, select, update

from data.database.database import Database
from data.database.schema import access_keys, analysis_jobs, fields_of, now, uploads
from data.errors import ClipTooLarge, Conflict, InvalidParameter, NotReady, Overloaded, UnknownName
from data.store.blobs import Blobs
from data.store.disk import Disk

FOLDER = "parts"
LIVES = timedelta(days=1)  # from its newest part on, and longer while it waits to be analysed
AT_ONCE, OF_ONE = 32, 4  # of a domain, as many of callers with a key as of others; of a caller
DISK_SHARE = 0.25  # of what is free or theirs already, for all those of callers without a key
MOST_PARTS = 2_000
OPEN = ("queued", "running")
NO_ROOM = "there is no room for {:,} bytes here; try again later"
ADMIN = "admin"  # what the caller with the admin's own key is called
OF_KEYS = uploads.c.who.in_(select(access_keys.c.name)) | (uploads.c.who == ADMIN)


@dataclass(frozen=True)
class Upload:
    id: str
    domain: str
    who: str
    length: int
    came: int
    parts: list[str]
    expires_at: datetime
    note: str = ""  # of the sender's, in his own form

    @property
    def is_whole(self) -> bool:
        return self.came == self.length

    def must_be_whole(self) -> None:
        """Raises Conflict."""
        if not self.is_whole:
            raise Conflict(
                f"{self.came:,} of its {self.length:,} bytes have come; send the others first"
            )


_SELECT = select(*fields_of(uploads, Upload))


class Uploads:
    def __init__(self, database: Database, blobs: Blobs, disk: Callable[[], Disk | None]) -> None:
        self._database = database
        self._blobs = blobs
        self._disk = disk

    def begin(self, domain: str, length: int, *, who: str, note: str = "") -> Upload:
        """Of so many bytes. Raises Overloaded where there are too many already, NotReady where the
        disk has no room for it."""
        self._must_have_room(length)
        new = Upload(secrets.token_hex(16), domain, who, length, 0, [], now() + LIVES, note)
        with self._database.write() as connection:
            has_key = _has_key(connection, who)
            _must_have_place(connection, domain, who, has_key)
            if not has_key:
                self._must_have_share(connection, length)
            connection.execute(insert(uploads).values(vars(new)))
        return new

    def _must_have_room(self, size: int) -> None:
        disk = self._disk()
        if disk is not None and disk.spare_bytes < size:
            raise NotReady(NO_ROOM.format(size))

    def _must_have_share(self, connection: Connection, length: int) -> None:
        disk = self._disk()
        sums = select(func.sum(uploads.c.length), func.sum(uploads.c.came)).where(~OF_KEYS)
        announced, came = (int(total or 0) for total in connection.execute(sums).one())
        if disk is not None and announced + length > DISK_SHARE * (disk.free_bytes + came):
            raise NotReady(NO_ROOM.format(length) + ", or send it with a key")

    def get(self, upload_id: str) -> Upload:
        """Raises UnknownName."""
        with self._database.read() as connection:
            return _known(connection, upload_id)

    def of(self, domain: str, who: str) -> list[Upload]:
        """Of this caller, those that end first in front."""
        own = (uploads.c.domain == domain) & (uploads.c.who == who)
        with self._database.read() as connection:
            rows = connection.execute(_SELECT.where(own).order_by(uploads.c.expires_at)).mappings()
            return [Upload(**row) for row in rows]

    def append(self, upload_id: str, came: int, part: BinaryIO, size: int) -> Upload:
        """A part of so many bytes behind those that came. Raises Conflict where another number of
        bytes has come, ClipTooLarge where more come than were announced, NotReady where the disk
        has no room for it by now."""
        _must_follow(self.get(upload_id), came, size)
        self._must_have_room(size)
        name = f"{FOLDER}/{upload_id}-{secrets.token_hex(8)}"
        self._blobs.put_file(name, part)
        try:
            with self._database.write() as connection:
                upload = _known(connection, upload_id)
                _must_follow(upload, came, size)
                changes = {
                    "came": came + size,
                    "parts": [*upload.parts, name],
                    "expires_at": now() + LIVES,
                }
                this = update(uploads).where(uploads.c.id == upload_id)
                connection.execute(this.values(changes))
                return _known(connection, upload_id)
        except BaseException:
            self._blobs.delete(name)
            raise

    def copy_to(self, upload_id: str, target: BinaryIO) -> None:
        """Raises Conflict where it is not whole."""
        upload = self.get(upload_id)
        upload.must_be_whole()
        for name in upload.parts:
            self._blobs.copy_to(name, target)
        target.flush()

    def delete(self, upload_id: str) -> None:
        """Nothing happens where there is none."""
        with self._database.write() as connection:
            parts = _deleted(connection, [upload_id])
        self._free(parts)

    def purge(self) -> None:
        """Removes what nobody goes on with, and what belongs to none."""
        waits = select(analysis_jobs.c.id).where(analysis_jobs.c.state.in_(OPEN))
        due = (uploads.c.expires_at <= now()) & uploads.c.id.not_in(waits)
        with self._database.write() as connection:
            gone = connection.execute(select(uploads.c.id).where(due)).scalars().all()
            parts = _deleted(connection, gone)
            rows = connection.execute(select(uploads.c.parts)).scalars()
            kept = {name for row in rows for name in row}
        old = self._blobs.older_than(LIVES.total_seconds(), FOLDER)
        self._free([*parts, *(name for name in old if name not in kept)])

    def _free(self, parts: Sequence[str]) -> None:
        for name in parts:
            self._blobs.delete(name)


def _known(connection: Connection, upload_id: str) -> Upload:
    row = connection.execute(_SELECT.where(uploads.c.id == upload_id)).mappings().one_or_none()
    if row is None:
        raise UnknownName(f"there is no upload {upload_id!r}, or no longer")
    return Upload(**row)


def _deleted(connection: Connection, ids: Sequence[str]) -> list[str]:
    """The names of their parts."""
    gone = delete(uploads).where(uploads.c.id.in_(ids)).returning(uploads.c.parts)
    return [name for parts in connection.execute(gone).scalars() for name in parts]


def _has_key(connection: Connection, who: str) -> bool:
    named = select(access_keys.c.name).where(access_keys.c.name == who)
    return who == ADMIN or connection.execute(named).first() is not None


def _must_have_place(connection: Connection, domain: str, who: str, has_key: bool) -> None:
    held = select(func.count()).select_from(uploads)
    held = held.where(uploads.c.domain == domain, OF_KEYS if has_key else ~OF_KEYS)
    own = connection.execute(held.where(uploads.c.who == who)).scalar_one()
    if own >= OF_ONE:
        raise Overloaded(
            f"{own} recordings of yours lie here already (GET /uploads lists them); wait for their "
            "analysis, or delete one"
        )
    if connection.execute(held).scalar_one() >= AT_ONCE:
        raise Overloaded(f"{AT_ONCE} recordings lie here already; try again in some minutes", 60)


def _must_follow(upload: Upload, came: int, size: int) -> None:
    if upload.came != came:
        raise Conflict(
            f"{upload.came:,} bytes of the recording have come; go on there, not at {came:,}"
        )
    if came + size > upload.length:
        raise ClipTooLarge(
            f"the recording was announced with {upload.length:,} bytes; with these there would be "
            f"{came + size:,}"
        )
    if len(upload.parts) >= MOST_PARTS:
        raise InvalidParameter(
            f"a recording comes in at most {MOST_PARTS:,} parts; send larger ones"
        )
