"""What made a run start, and what it does otherwise than its domain says."""

import sqlalchemy as sa
from alembic import op

revision = "0011_run_orders"
down_revision = "0010_predictions"


def upgrade() -> None:
    trigger = sa.Column("trigger", sa.String(16), nullable=False, server_default="")
    options = sa.Column("options", sa.JSON, nullable=False, server_default="{}")
    for column in (trigger, options):
        op.add_column("retrain_runs", column)
