"""Who is asked for consent before a dispatch goes out, what they said, which alerts pass others on, and what is owed.

Revision ID: 0007
Revises: 0006

Every dispatch that is there already was released with its alert. What was asked and answered is only ever added to on
PostgreSQL, like everything that is somebody's signed word.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = ("consent_requests", "consent_answers", "citations")


def upgrade() -> None:
    """Add the tables, the columns, the index and the guards."""
    op.create_table(
        "consent_requests",
        sa.Column("consent_id", sa.String(length=36), nullable=False),
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("asked", sa.String(length=70), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", name="pk_consent_requests"),
    )
    op.create_index("ix_consent_requests_delivery_id", "consent_requests", ["delivery_id"])
    op.create_index("ix_consent_requests_asked", "consent_requests", ["asked"])
    op.create_table(
        "consent_answers",
        sa.Column("consent_id", sa.String(length=36), nullable=False),
        sa.Column("decision", sa.String(length=7), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", name="pk_consent_answers"),
    )
    op.create_table(
        "citations",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("sender", sa.String(length=70), nullable=False),
        sa.Column("identifier", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "sender", "identifier", name="pk_citations"),
    )
    op.add_column("dispatches", sa.Column("released", sa.BigInteger(), nullable=True))
    op.add_column("dispatches", sa.Column("owed_ms", sa.BigInteger(), nullable=True))
    op.execute("UPDATE dispatches SET released = log_index")
    owed = sa.text("owed_ms IS NOT NULL")
    op.create_index("ix_dispatches_owed", "dispatches", ["owed_ms"], sqlite_where=owed, postgresql_where=owed)
    if op.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
            )
