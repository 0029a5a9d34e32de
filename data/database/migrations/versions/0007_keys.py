"""Keys by their digests, and receipts by who sent them."""

import sqlalchemy as sa
from alembic import op

revision = "0007_keys"
down_revision = "0006_features"


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
    )
    op.create_index("feedback_by_sender", "feedback", ["domain", "who", "id"])
