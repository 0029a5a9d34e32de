"""The side of a split that a clip was imported for, and what data checks have to say of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002_splits_and_flags"
down_revision = "0001_first_tables"


def upgrade() -> None:
    op.add_column("clips", sa.Column("split", sa.String(16)))
    forgotten = sa.ForeignKey("clips.id", ondelete="CASCADE")
    op.create_table(
        "clip_flags",
        sa.Column("clip_id", sa.Integer, forgotten, primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dismissed", sa.Boolean, nullable=False),
    )
