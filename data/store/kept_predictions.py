"""Answers that a domain keeps for a while (`keep` in its file), some with their clips.

For each clip and version one; what is due goes, and so does the oldest where too many are there.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select, update

from data.database.database import Database
from data.database.schema import KeptFor, clips, fields_of, now, predictions
from data.errors import DiskFull, UnknownName
from data.store.blobs import Blobs
from data.store.clips.clip_store import ClipStore
from data.store.disk import Disk


@dataclass(frozen=True)
class NewPrediction:
    """`embedding` is float16 [D], by the backbone of this sha256; `probabilities` are by label."""

    domain: str
    version: str
    label: str
    probabilities: dict[str, float]
    unknown: bool
    why: KeptFor
    backbone: str
    embedding: bytes


@dataclass(frozen=True)
class KeptPrediction(NewPrediction):
    id: int
    clip_sha256: str
    has_clip: bool
    created_at: datetime
    expires_at: datetime
    receipt: str | None


KEPT = select(*fields_of(predictions, KeptPrediction))


class KeptPredictions:
    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        clip_store: ClipStore,
        disk: Callable[[], Disk | None],
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._clips = clip_store
        self._disk = disk

    def add(
        self, new: NewPrediction, raw: bytes, *, with_clip: bool, days: float, most: int
    ) -> None:
        """Once a clip and version. Of a domain `most` are kept, the newest. Raises DiskFull where
        there is only room for what callers with a key send."""
        disk = self._disk() if with_clip else None
        if disk is not None and disk.spare_bytes < len(raw):
            raise DiskFull
        sha256 = hashlib.sha256(raw).hexdigest()
        facts = {
            **vars(new),
            "clip_sha256": sha256,
            "has_clip": with_clip,
            "created_at": now(),
            "expires_at": now() + timedelta(days=days),
        }
        if with_clip:
            self._blobs.put(sha256, raw)
        with self._database.write() as connection:
            if with_clip:  # again: the bytes may have been deleted meanwhile, by a writer
                self._blobs.put(sha256, raw)
            if not _is_known(connection, new, sha256):
                connection.execute(insert(predictions).values(facts))
            freed = _drop(connection, _beyond(new.domain, most))
        self._clips.delete_unused(freed)

    def find(
        self, domain: str, *, with_clip: bool = False, limit: int = 100, offset: int = 0
    ) -> list[KeptPrediction]:
        """Newest first; or those alone whose clips are kept."""
        wanted = _current(domain) & (predictions.c.has_clip | (not with_clip))
        return self._listed(wanted, limit, offset)

    def unasked(self, domain: str, backbone: str, limit: int) -> list[KeptPrediction]:
        """Those by this backbone whose clips are kept and that nobody has said anything of, newest
        first."""
        said = exists().where(clips.c.domain == domain, clips.c.sha256 == predictions.c.clip_sha256)
        open_ = predictions.c.has_clip & predictions.c.receipt.is_(None) & ~said
        wanted = _current(domain) & open_ & (predictions.c.backbone == backbone)
        return self._listed(wanted, limit, 0)

    def get(self, domain: str, number: int) -> KeptPrediction:
        found = self._listed(_current(domain) & (predictions.c.id == number), 1, 0)
        if not found:
            raise UnknownName(f"{domain} has kept no prediction {number}, or no longer")
        return found[0]

    def labelled(self, number: int, receipt: str) -> None:
        with self._database.write() as connection:
            which = predictions.c.id == number
            connection.execute(update(predictions).where(which).values(receipt=receipt))

    def purge(self) -> None:
        """Removes what is due, of all domains, with its bytes."""
        with self._database.write() as connection:
            freed = _drop(connection, predictions.c.expires_at <= now())
        self._clips.delete_unused(freed)

    def _listed(self, wanted: ColumnElement[bool], limit: int, offset: int) -> list[KeptPrediction]:
        query = KEPT.where(wanted).order_by(predictions.c.id.desc()).limit(limit).offset(offset)
        with self._database.read() as connection:
            return [KeptPrediction(**row) for row in connection.execute(query).mappings()]


def _current(domain: str) -> ColumnElement[bool]:
    return (predictions.c.domain == domain) & (predictions.c.expires_at > now())


def _is_known(connection: Connection, new: NewPrediction, sha256: str) -> bool:
    same = select(predictions.c.id).where(
        predictions.c.domain == new.domain,
        predictions.c.clip_sha256 == sha256,
        predictions.c.version == new.version,
    )
    return connection.execute(same).first() is not None


def _beyond(domain: str, most: int) -> ColumnElement[bool]:
    own = predictions.c.domain == domain
    newest = select(predictions.c.id).where(own).order_by(predictions.c.id.desc())
    return own & (predictions.c.id <= newest.offset(most).limit(1).scalar_subquery())


def _drop(connection: Connection, which: ColumnElement[bool]) -> list[str]:
    """The digests of clips that may be unused now."""
    gone = delete(predictions).where(which).returning(predictions.c.clip_sha256)
    return list(connection.execute(gone).scalars())
