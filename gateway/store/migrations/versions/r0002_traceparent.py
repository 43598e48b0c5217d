"""A dispatch keeps the trace context that its alert came with.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, unless the first revision has just made the table with it."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("dispatches")}
    if "traceparent" not in columns:
        op.add_column("dispatches", sa.Column("traceparent", sa.String(55)))


def downgrade() -> None:
    """Refuse: a log is never taken back."""
    raise NotImplementedError("an exchange log is never taken back; restore the backup that goes with the program")
