"""Legal holds on threads: of which thread, where it is not one alert alone.

Revision ID: 0016
Revises: 0015

Holds of before are on one alert each. The indexes find the holds that a later alert of a thread comes under, and the
later alerts of a thread that is put on hold; most alerts begin a thread and are in neither.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the indexes."""
    op.add_column("content_statements", sa.Column("thread", sa.String(length=36), nullable=True))
    op.create_index("ix_content_statements_thread", "content_statements", ["thread"])
    op.create_index(
        "ix_alerts_following",
        "alerts",
        ["thread"],
        sqlite_where=sa.text("thread <> alert_id"),
        postgresql_where=sa.text("thread <> alert_id"),
    )
