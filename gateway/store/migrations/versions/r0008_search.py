"""The index of the log, by which auditors find entries: segments, and the postings of each.

Revision ID: 0008
Revises: 0007

It is made from the entries, which it names and never changes; on PostgreSQL it is only ever added to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = ("log_segments", "log_postings")


def upgrade() -> None:
    """Add the tables and the guards."""
    index = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "log_segments",
        sa.Column("segment", index, autoincrement=False, nullable=False),
        sa.Column("first_time", sa.Text(), nullable=False),
        sa.Column("last_time", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("segment", name="pk_log_segments"),
    )
    op.create_table(
        "log_postings",
        sa.Column("jurisdiction", sa.Text(), nullable=False),
        sa.Column("term", sa.Text(), nullable=False),
        sa.Column("segment", index, autoincrement=False, nullable=False),
        sa.Column("offsets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("jurisdiction", "term", "segment", name="pk_log_postings"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
            )
