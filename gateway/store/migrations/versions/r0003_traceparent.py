"""A dispatch keeps the trace context that its alert came with.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("dispatches", sa.Column("traceparent", sa.String(length=55), nullable=True))
