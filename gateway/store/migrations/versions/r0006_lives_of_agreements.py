"""What parties propose, sign and state of agreements over their lives; and the log's entries about agreements alone.

Revision ID: 0006
Revises: 0005

On PostgreSQL they are only ever added to, like everything that is somebody's signed word.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("agreement_proposals", "agreement_signatures", "agreement_steps")


def upgrade() -> None:
    """Add the tables, the index, and the guards."""
    op.create_table(
        "agreement_proposals",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_agreement_proposals"),
        sa.UniqueConstraint("log_index", name="uq_agreement_proposals_log_index"),
    )
    op.create_index("ix_agreement_proposals_name", "agreement_proposals", ["agreement", "version"])
    op.create_table(
        "agreement_signatures",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("party", sa.String(length=6), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "party", name="pk_agreement_signatures"),
        sa.UniqueConstraint("log_index", name="uq_agreement_signatures_log_index"),
    )
    op.create_table(
        "agreement_steps",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_agreement_steps"),
        sa.UniqueConstraint("log_index", name="uq_agreement_steps_log_index"),
    )
    alone = sa.text("agreement IS NOT NULL AND alert_id IS NULL")
    op.create_index(
        "ix_log_entries_agreement",
        "log_entries",
        ["agreement", "log_index"],
        sqlite_where=alone,
        postgresql_where=alone,
    )
    if op.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
            )
