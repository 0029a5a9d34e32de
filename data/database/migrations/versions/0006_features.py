"""What was heard of kept clips: embeddings by backbone, and fingerprints."""

import sqlalchemy as sa
from alembic import op

revision = "0006_features"
down_revision = "0005_beats"


def upgrade() -> None:
    forgotten = sa.ForeignKey("clips.id", ondelete="CASCADE")
    op.create_table(
        "clip_features",
        sa.Column("clip_id", sa.Integer, forgotten, primary_key=True),
        sa.Column("backbone", sa.String(64), primary_key=True),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
