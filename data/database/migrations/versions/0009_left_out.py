"""Which clips of its snapshot a version has not learnt."""

import sqlalchemy as sa
from alembic import op

revision = "0009_left_out"
down_revision = "0008_clip_copies"


def upgrade() -> None:
    forgotten = sa.ForeignKey("clips.id", ondelete="CASCADE")
    op.create_table(
        "left_out",
        sa.Column("snapshot_id", sa.Integer, sa.ForeignKey("snapshots.id"), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("clip_id", sa.Integer, forgotten, primary_key=True),
    )
