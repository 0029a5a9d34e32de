"""Answers that are kept for a while: to ask people about, and to replay on other versions."""

import sqlalchemy as sa
from alembic import op

revision = "0010_predictions"
down_revision = "0009_left_out"


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("clip_sha256", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("probabilities", sa.JSON, nullable=False),
        sa.Column("unknown", sa.Boolean, nullable=False),
        sa.Column("why", sa.String(16), nullable=False),
        sa.Column("backbone", sa.String(64), nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("has_clip", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("receipt", sa.String(32)),
        sa.UniqueConstraint("domain", "clip_sha256", "version", name="one_prediction_a_version"),
    )
    op.create_index("predictions_in_order", "predictions", ["domain", "id"])
    op.create_index("predictions_by_bytes", "predictions", ["clip_sha256"])
    op.create_index("predictions_by_end", "predictions", ["expires_at"])
