"""The index of the log is built anew: entries are found by more than they were.

Revision ID: 0010
Revises: 0009

What is there goes, and the relay makes it again; until then the log is looked through entry by entry.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("log_segments", "log_postings")


def upgrade() -> None:
    """Empty the tables; on PostgreSQL their guards stand aside meanwhile."""
    guarded = op.get_context().dialect.name == "postgresql"
    for table in _TABLES:
        if guarded:
            op.execute(f"ALTER TABLE {table} DISABLE TRIGGER only_grows")
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are the two above
        if guarded:
            op.execute(f"ALTER TABLE {table} ENABLE TRIGGER only_grows")
