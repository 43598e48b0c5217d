"""A dispatch keeps the terms of its permit: what its recipient may not have, and by when.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("dispatches", sa.Column("terms", sa.Text(), nullable=True))
