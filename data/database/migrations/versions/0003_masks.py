"""Where in a photograph its label is true: the digest of a mask, beside each label."""

import sqlalchemy as sa
from alembic import op

revision = "0003_masks"
down_revision = "0002_splits_and_flags"


def upgrade() -> None:
    for table in ("clips", "feedback", "snapshot_clips"):
        op.add_column(table, sa.Column("mask", sa.String(64)))
    op.create_index("clips_by_mask", "clips", ["mask"])
    op.create_index("feedback_by_mask", "feedback", ["mask"])
