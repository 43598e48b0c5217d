"""What witnesses have cosigned, and why the log must not be appended to.

Revision ID: 0009
Revises: 0008

A cosignature that is made anew for the same checkpoint takes the place of the older one; a doubt goes when it is
settled. So neither table is one that only grows.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    index = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "cosignatures",
        sa.Column("size", index, autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name="pk_cosignatures"),
    )
    op.create_index("ix_cosignatures_witness_size", "cosignatures", ["witness", "size"])
    op.create_table(
        "log_doubts",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_log_doubts"),
    )
