"""What was handed over byte for byte, what the exchange stated of each day, and what partners say that they received.

Revision ID: 0012
Revises: 0011

Of deliveries that are there already nobody knows the bytes. Statements are only ever added to on PostgreSQL, like
everything that is somebody's signed word.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("period_statements", "reconciliations")


def upgrade() -> None:
    """Add the tables, the column, the index and the guards."""
    op.create_table(
        "period_statements",
        sa.Column("participant", sa.String(length=70), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("participant", "from_ms", "log_index", name="pk_period_statements"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("participant", sa.String(length=70), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_reconciliations"),
    )
    op.create_index("ix_reconciliations_participant", "reconciliations", ["participant", "at_ms"])
    op.add_column("dispatches", sa.Column("handed", sa.LargeBinary(length=32), nullable=True))
    if op.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
            )
