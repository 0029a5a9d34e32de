"""What was found out of kept clips, so that none is decoded, embedded or compared twice.

A fingerprint and the copies found by it are of the clip alone, an embedding of the clip and a
backbone. All go with the clip when somebody asks us to forget it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from data.arrays import Floats
from data.database.database import Database
from data.database.schema import clip_features, clips, now

AT_ONCE = 1000
BACKBONES = 2  # of a domain: the one that serves, and the one it may go back to
SAME = delete(clip_features).where(
    clip_features.c.clip_id == bindparam("clip_id"),
    clip_features.c.backbone == bindparam("backbone"),
)


@dataclass(frozen=True)
class Features:
    """`embedding` [rows, D] (kept as float16) is None where another backbone heard the clip;
    `fingerprint` is None of one that was heard before there were any
    (`data/quality/fingerprints.py`). `exam` names the exam's fingerprints (the sha256 of their
    file) that it was found to be no copy of; `copies` are the clips, by sha256, that it is a copy
    of with their likeness, among those that were there before it; None if nobody has looked."""

    embedding: Floats | None
    fingerprint: bytes | None
    exam: str | None = None
    copies: Mapping[str, float] | None = None


class ClipFeatures:
    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, domain: str, backbone: str) -> dict[str, Features]:
        """By clip: of all that were heard, by this backbone (its sha256) or another."""
        query = (
            select(clips.c.sha256, clip_features)
            .join(clips, clips.c.id == clip_features.c.clip_id)
            .where(clips.c.domain == domain)
            .order_by(clip_features.c.backbone == backbone)  # its own last: that one stands
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {
            row.sha256: Features(
                _matrix(row.embedding, row.rows) if row.backbone == backbone else None,
                row.fingerprint,
                row.exam,
                row.copies,
            )
            for row in rows
        }

    def embeddings(
        self, domain: str, backbone: str, sha256s: Collection[str] | None = None
    ) -> Iterator[tuple[list[str], Floats]]:
        """By this backbone, of these clips or of all, of which each has one: some clips at a time,
        with the embeddings [n, D] of those."""
        query = (
            select(clips.c.sha256, clip_features.c.embedding)
            .join(clips, clips.c.id == clip_features.c.clip_id)
            .where(clips.c.domain == domain, clip_features.c.backbone == backbone)
            .where(clip_features.c.rows == 1)
        )
        if sha256s is not None:
            query = query.where(clips.c.sha256.in_(sha256s))
        with self._database.read() as connection:
            rows = connection.execution_options(yield_per=AT_ONCE).execute(query)
            for part in rows.partitions():
                raw = b"".join(row.embedding for row in part)
                yield [row.sha256 for row in part], _matrix(raw, len(part))

    def put(self, domain: str, backbone: str, found: Mapping[str, Features]) -> None:
        """Embeddings by this backbone, in place of what it had. Of clips that are gone nothing is
        kept, and of backbones only the newest."""
        with self._database.write() as connection:
            ids = _ids(connection, domain, found)
            rows = [_row(ids[sha256], backbone, found[sha256]) for sha256 in found if sha256 in ids]
            if rows:
                connection.execute(SAME, rows)
                connection.execute(insert(clip_features), rows)
            _drop_old(connection, domain)


def _row(clip_id: int, backbone: str, features: Features) -> dict[str, object]:
    values = features.embedding
    assert values is not None, f"clip {clip_id} has no embedding to keep"
    return {
        "clip_id": clip_id,
        "backbone": backbone,
        "rows": len(values),
        "embedding": values.astype(np.float16).tobytes(),
        "fingerprint": features.fingerprint,
        "exam": features.exam,
        "copies": None if features.copies is None else dict(features.copies),
        "at": now(),
    }


def _matrix(raw: bytes, rows: int) -> Floats:
    return np.frombuffer(raw, np.float16).reshape(rows, -1).astype(np.float32)


def _ids(connection: Connection, domain: str, among: Mapping[str, object]) -> dict[str, int]:
    query = select(clips.c.sha256, clips.c.id).where(clips.c.domain == domain)
    return {sha256: number for sha256, number in connection.execute(query) if sha256 in among}


def _drop_old(connection: Connection, domain: str) -> None:
    mine = select(clips.c.id).where(clips.c.domain == domain)
    of_domain = clip_features.c.clip_id.in_(mine)
    newest = (
        select(clip_features.c.backbone)
        .where(of_domain)
        .group_by(clip_features.c.backbone)
        .order_by(func.max(clip_features.c.at).desc())
        .limit(BACKBONES)
    )
    kept = list(connection.execute(newest).scalars())
    connection.execute(
        delete(clip_features).where(of_domain, clip_features.c.backbone.not_in(kept))
    )
