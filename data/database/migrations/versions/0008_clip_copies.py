"""Which copies a clip has, and which exam it was compared with, beside its features."""

import sqlalchemy as sa
from alembic import op

revision = "0008_clip_copies"
down_revision = "0007_keys"


def upgrade() -> None:
    op.add_column("clip_features", sa.Column("exam", sa.String(64)))
    op.add_column("clip_features", sa.Column("copies", sa.JSON))
