"""Where a correction without a key came from while it waits, and how many bytes it brought."""

import sqlalchemy as sa
from alembic import op

revision = "0004_senders"
down_revision = "0003_masks"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("address", sa.String(64)))
    op.add_column("feedback", sa.Column("size_bytes", sa.Integer))
    op.create_index("feedback_by_address", "feedback", ["address"])
