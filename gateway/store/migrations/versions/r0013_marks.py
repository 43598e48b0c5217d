"""Marks stand for words, under a key that is not in the database.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table that says by which key marks were made, and its guard."""
    op.create_table(
        "mark_key",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_mark_key_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_mark_key"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON mark_key "
            "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
        )
