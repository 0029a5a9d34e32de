"""Recordings that come in parts, and those that are analysed behind the answer."""

import sqlalchemy as sa
from alembic import op

revision = "0012_analysis_jobs"
down_revision = "0011_run_orders"


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("came", sa.BigInteger, nullable=False),
        sa.Column("parts", sa.JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("uploads_by_end", "uploads", ["expires_at"])
    op.create_table(
        "analysis_jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("domain", sa.String(32), nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("wishes", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("beat", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("heard_s", sa.Double, nullable=False),
        sa.Column("done", sa.Double),
        sa.Column("heard", sa.LargeBinary),
        sa.Column("digest", sa.String(64)),
        sa.Column("result", sa.JSON),
        sa.Column("problem", sa.JSON),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_analysis_jobs_state", "analysis_jobs", ["state"])
