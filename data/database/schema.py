"""The tables of the store; `migrations/` makes them, a test keeps the two alike.

`runs` and `alembic_version` are names of MLflow's own, so ours are called otherwise:
one PostgreSQL database may then hold both.
"""

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    FromClause,
    Index,
    MetaData,
    Named,
    String,
    Table,
    Text,
    TypedColumns,
    TypeDecorator,
    UniqueConstraint,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ClipState = Literal["accepted", "quarantined", "rejected"]
FeedbackState = ClipState
FlagKind = Literal[
    "exam_copy",
    "label_conflict",
    "mask",
    "copy",
    "unreadable",
    "silent",
    "clipped",
    "low_rate",
    "label",
    "harm",
]
KeptFor = Literal["sample", "unsure", "unknown"]
HeldFor = Literal["train", "validation"]  # the exam takes no clips from people
RunState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Detail = dict[str, object]

VERSION_TABLE = "telltale_schema"


class Moment(TypeDecorator[datetime]):
    """A time in UTC that stays aware of it; SQLite alone would hand back a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        assert value is None or value.tzinfo is not None, f"{value} has no time zone"
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        # PostgreSQL answers in the session's time zone, SQLite without one.
        if value is None or value.tzinfo is not None:
            return value and value.astimezone(UTC)
        return value.replace(tzinfo=UTC)


def fields_of(table: FromClause, value: type["DataclassInstance"]) -> list[ColumnElement[object]]:
    """The columns that carry the fields of a value, so that `value(**row)` makes one."""
    return [table.c[field.name] for field in fields(value)]


def now() -> datetime:
    return datetime.now(UTC)


class ClipColumns(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    domain: Named[str] = Column(String(32))
    sha256: Named[str] = Column(String(64))
    label: Named[str | None] = Column(Text)
    group: Named[str | None] = Column(Text)
    state: Named[str] = Column(String(16))
    reason: Named[str] = Column(Text)
    who: Named[str] = Column(Text)
    source: Named[str] = Column(Text)
    size_bytes: Named[int] = Column()
    duration_s: Named[float] = Column()
    sample_rate_hz: Named[int] = Column()
    created_at: Named[datetime] = Column(Moment)
    changed_at: Named[datetime] = Column(Moment)
    # The label under which a champion last learnt the clip: differs from `label` while it is new.
    learnt_label: Named[str | None] = Column(Text)
    split: Named[str | None] = Column(String(16))
    # The sha256 of a picture of what the label is true of, where that is only a part.
    mask: Named[str | None] = Column(String(64))


class FlagColumns(TypedColumns):
    clip_id: Named[int] = Column(ForeignKey("clips.id", ondelete="CASCADE"), primary_key=True)
    kind: Named[str] = Column(String(32), primary_key=True)
    reason: Named[str] = Column(Text)
    score: Named[float] = Column()
    at: Named[datetime] = Column(Moment)
    # Kept once somebody has looked, so that the next check does not ask the same again.
    dismissed: Named[bool] = Column()


class FeatureColumns(TypedColumns):
    clip_id: Named[int] = Column(ForeignKey("clips.id", ondelete="CASCADE"), primary_key=True)
    backbone: Named[str] = Column(String(64), primary_key=True)
    rows: Named[int] = Column()
    embedding: Named[bytes] = Column()
    fingerprint: Named[bytes | None] = Column()
    # Of the fingerprints (their file's sha256) of the exam that it was found to be no copy of.
    exam: Named[str | None] = Column(String(64))
    # By sha256, the likeness of its copies among the clips that were there before it.
    copies: Named[dict[str, float] | None] = Column(JSON(none_as_null=True))
    at: Named[datetime] = Column(Moment)


class FeedbackColumns(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    receipt: Named[str] = Column(String(32), unique=True)
    domain: Named[str] = Column(String(32))
    # No foreign key: a receipt outlives the clip that somebody asked us to forget.
    clip_sha256: Named[str] = Column(String(64))
    predicted: Named[str] = Column(Text)
    confidence: Named[float] = Column()
    corrected: Named[str] = Column(Text)
    version: Named[str] = Column(Text)
    state: Named[str] = Column(String(16))
    reason: Named[str] = Column(Text)
    who: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(Moment)
    snapshot: Named[str | None] = Column(String(64))
    learnt_version: Named[str | None] = Column(Text)
    after_label: Named[str | None] = Column(Text)
    after_confidence: Named[float | None] = Column()
    mask: Named[str | None] = Column(String(64))
    # Of whoever sent it without a key, for as long as it waits: see `review/quarantine.py`.
    address: Named[str | None] = Column(String(64))
    size_bytes: Named[int | None] = Column()


class SnapshotColumns(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    digest: Named[str] = Column(String(64), unique=True)
    domain: Named[str] = Column(String(32))
    size: Named[int] = Column()
    created_at: Named[datetime] = Column(Moment)


class SnapshotClipColumns(TypedColumns):
    snapshot_id: Named[int] = Column(ForeignKey("snapshots.id"), primary_key=True)
    clip_id: Named[int] = Column(
        ForeignKey("clips.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    label: Named[str] = Column(Text)
    mask: Named[str | None] = Column(String(64))


class LearntColumns(TypedColumns):
    snapshot_id: Named[int] = Column(ForeignKey("snapshots.id"), primary_key=True)
    version: Named[str] = Column(String(64), primary_key=True)
    at: Named[datetime] = Column(Moment)


class LeftOutColumns(TypedColumns):
    """A clip of the snapshot that a version has not learnt all the same."""

    snapshot_id: Named[int] = Column(ForeignKey("snapshots.id"), primary_key=True)
    version: Named[str] = Column(String(64), primary_key=True)
    clip_id: Named[int] = Column(ForeignKey("clips.id", ondelete="CASCADE"), primary_key=True)


class RunColumns(TypedColumns):
    id: Named[str] = Column(String(64), primary_key=True)
    domain: Named[str] = Column(String(32))
    mode: Named[str] = Column(String(16))
    reason: Named[str] = Column(Text)
    who: Named[str] = Column(Text)
    state: Named[str] = Column(String(16), index=True)
    created_at: Named[datetime] = Column(Moment)
    finished_at: Named[datetime | None] = Column(Moment)
    # While the run is open: it will succeed with this, its version is being promoted.
    result: Named[Detail | None] = Column(JSON(none_as_null=True))
    # Counts on while a run is worked on that this cluster's job list need not know of: one that
    # was started by hand, or a full one, which another cluster may be training.
    beat: Named[int | None] = Column()
    trigger: Named[str] = Column(String(16), server_default="")
    options: Named[Detail] = Column(JSON, server_default="{}")  # RunOptions.changed()


class EventColumns(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    at: Named[datetime] = Column(Moment)
    kind: Named[str] = Column(Text)
    subject: Named[str] = Column(Text)
    who: Named[str] = Column(Text)
    domain: Named[str | None] = Column(String(32))
    detail: Named[Detail] = Column(JSON)


class KeyColumns(TypedColumns):
    digest: Named[str] = Column(String(64), primary_key=True)
    name: Named[str] = Column(Text, unique=True)
    role: Named[str] = Column(String(16))
    who: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(Moment)
    expires_at: Named[datetime | None] = Column(Moment)


class PredictionColumns(TypedColumns):
    id: Named[int] = Column(primary_key=True)
    domain: Named[str] = Column(String(32))
    clip_sha256: Named[str] = Column(String(64))
    version: Named[str] = Column(String(64))
    label: Named[str] = Column(Text)
    probabilities: Named[dict[str, float]] = Column(JSON)
    unknown: Named[bool] = Column()
    why: Named[str] = Column(String(16))
    backbone: Named[str] = Column(String(64))
    embedding: Named[bytes] = Column()
    has_clip: Named[bool] = Column()  # whether its bytes are kept as long as it is
    created_at: Named[datetime] = Column(Moment)
    expires_at: Named[datetime] = Column(Moment)
    receipt: Named[str | None] = Column(String(32))  # of the correction that it has become


class UploadColumns(TypedColumns):
    """A recording that comes in parts, or that waits to be analysed."""

    id: Named[str] = Column(String(32), primary_key=True)
    domain: Named[str] = Column(String(32))
    who: Named[str] = Column(Text)  # a key's name, or an address
    length: Named[int] = Column(BigInteger)
    came: Named[int] = Column(BigInteger)
    parts: Named[list[str]] = Column(JSON)  # names of blobs, in order
    note: Named[str] = Column(Text)
    expires_at: Named[datetime] = Column(Moment)


class JobColumns(TypedColumns):
    """The analysis of the upload of this id."""

    id: Named[str] = Column(String(32), primary_key=True)
    domain: Named[str] = Column(String(32))
    who: Named[str] = Column(Text)
    request_id: Named[str] = Column(Text)
    wishes: Named[dict[str, list[str]]] = Column(JSON)  # as they came
    state: Named[str] = Column(String(16), index=True)
    # Counts on while a replica works on it; whoever has an older one has lost it.
    beat: Named[int] = Column()
    attempts: Named[int] = Column()
    heard_s: Named[float] = Column()
    done: Named[float | None] = Column()
    # What another replica would go on with, and the model (its digest) that it was heard by.
    heard: Named[bytes | None] = Column()
    digest: Named[str | None] = Column(String(64))
    result: Named[Detail | None] = Column(JSON(none_as_null=True))
    problem: Named[Detail | None] = Column(JSON(none_as_null=True))
    created_at: Named[datetime] = Column(Moment)
    expires_at: Named[datetime | None] = Column(Moment)  # once it has ended


metadata = MetaData()

clips = Table(
    "clips",
    metadata,
    ClipColumns,
    UniqueConstraint("domain", "sha256", name="one_clip_per_domain"),
    # Each way of listing has an index that ends in the order of the listing.
    Index("clips_in_order", "domain", "id"),
    Index("clips_by_state", "domain", "state", "id"),
    Index("clips_by_label", "domain", "label", "id"),
    Index("clips_by_bytes", "sha256"),
    Index("clips_by_mask", "mask"),
)
clip_flags = Table("clip_flags", metadata, FlagColumns)
clip_features = Table("clip_features", metadata, FeatureColumns)
feedback = Table(
    "feedback",
    metadata,
    FeedbackColumns,
    Index("feedback_by_state", "domain", "state", "id"),
    Index("feedback_by_clip", "domain", "clip_sha256"),
    Index("feedback_by_mask", "mask"),
    Index("feedback_by_address", "address"),
    Index("feedback_by_sender", "domain", "who", "id"),
)
snapshots = Table("snapshots", metadata, SnapshotColumns)
snapshot_clips = Table("snapshot_clips", metadata, SnapshotClipColumns)
learnt = Table("learnt", metadata, LearntColumns)
left_out = Table("left_out", metadata, LeftOutColumns)
runs = Table(
    "retrain_runs", metadata, RunColumns, Index("retrain_runs_in_order", "domain", "created_at")
)
events = Table(
    "events",
    metadata,
    EventColumns,
    Index("events_by_subject", "subject", "id"),
    Index("events_by_domain", "domain", "id"),
)
access_keys = Table("access_keys", metadata, KeyColumns)
predictions = Table(
    "predictions",
    metadata,
    PredictionColumns,
    UniqueConstraint("domain", "clip_sha256", "version", name="one_prediction_a_version"),
    Index("predictions_in_order", "domain", "id"),
    Index("predictions_by_bytes", "clip_sha256"),
    Index("predictions_by_end", "expires_at"),
)
uploads = Table("uploads", metadata, UploadColumns, Index("uploads_by_end", "expires_at"))
analysis_jobs = Table("analysis_jobs", metadata, JobColumns)
