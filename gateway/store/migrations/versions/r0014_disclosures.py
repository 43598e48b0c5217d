"""What entries withhold, sealed beside them.

Revision ID: 0014
Revises: 0013

Entries that are there already withhold nothing, and say so by having none: the log is committed to all of their bytes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("log_entries", sa.Column("disclosures", sa.LargeBinary(), nullable=True))
