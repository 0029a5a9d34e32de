"""The first tables. A migration is never edited once released: add the next number."""

import sqlalchemy as sa
from alembic import op

revision = "0001_first_tables"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "clips",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("group", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("sample_rate_hz", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("learnt_label", sa.Text),
        sa.UniqueConstraint("domain", "sha256", name="one_clip_per_domain"),
    )
    op.create_index("clips_in_order", "clips", ["domain", "id"])
    op.create_index("clips_by_state", "clips", ["domain", "state", "id"])
    op.create_index("clips_by_label", "clips", ["domain", "label", "id"])
    op.create_index("clips_by_bytes", "clips", ["sha256"])
    _feedback()
    _snapshots()
    _runs_and_events()


def _feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("receipt", sa.String(32), nullable=False, unique=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("clip_sha256", sa.String(64), nullable=False),
        sa.Column("predicted", sa.Text, nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("corrected", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("snapshot", sa.String(64)),
        sa.Column("learnt_version", sa.Text),
        sa.Column("after_label", sa.Text),
        sa.Column("after_confidence", sa.Double),
    )
    op.create_index("feedback_by_state", "feedback", ["domain", "state", "id"])
    op.create_index("feedback_by_clip", "feedback", ["domain", "clip_sha256"])


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "snapshot_clips",
        sa.Column("snapshot_id", sa.Integer, sa.ForeignKey("snapshots.id"), primary_key=True),
        _clip_id(),
        sa.Column("label", sa.Text, nullable=False),
    )
    op.create_index("ix_snapshot_clips_clip_id", "snapshot_clips", ["clip_id"])
    op.create_table(
        "learnt",
        sa.Column("snapshot_id", sa.Integer, sa.ForeignKey("snapshots.id"), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )


def _runs_and_events() -> None:
    op.create_table(
        "retrain_runs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("result", sa.JSON),
    )
    op.create_index("ix_retrain_runs_state", "retrain_runs", ["state"])
    op.create_index("retrain_runs_in_order", "retrain_runs", ["domain", "created_at"])
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("domain", sa.String(32)),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("events_by_subject", "events", ["subject", "id"])
    op.create_index("events_by_domain", "events", ["domain", "id"])


def _clip_id() -> sa.Column[int]:
    forgotten = sa.ForeignKey("clips.id", ondelete="CASCADE")
    return sa.Column("clip_id", sa.Integer, forgotten, primary_key=True)
