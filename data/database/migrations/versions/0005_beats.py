"""The sign of life of a run that was started by hand."""

import sqlalchemy as sa
from alembic import op

revision = "0005_beats"
down_revision = "0004_senders"


def upgrade() -> None:
    op.add_column("retrain_runs", sa.Column("beat", sa.Integer))
