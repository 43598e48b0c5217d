"""Which exports are under way, so that those are ended that a process died over; and each recipient's own deliveries.

Revision ID: 0017
Revises: 0016

An export that was left by an earlier version has no row, and gets one here. With the index, comparing books with one
recipient reads its own deliveries alone: how long it takes says nothing about others'.
"""

from __future__ import annotations

import json
import time

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, with what was left, and the index."""
    table = op.create_table(
        "open_exports",
        sa.Column("begun", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("begun", name="pk_open_exports"),
    )
    entries = sa.table("log_entries", *map(sa.column, ("log_index", "kind", "content")))
    logged = sa.select(entries.c.log_index, entries.c.kind, entries.c.content)
    begun = set()
    for row in op.get_bind().execute(
        logged.where(entries.c.kind.in_(("exported", "export-ended"))).order_by("log_index")
    ):
        begun.add(row.log_index) if row.kind == "exported" else begun.discard(_begun(row.content))
    now_ms = int(time.time() * 1000)  # one that a running process of before still makes is not taken for left
    op.bulk_insert(table, [{"begun": index, "at_ms": now_ms} for index in sorted(begun)])
    op.create_index("ix_dispatches_books", "dispatches", ["recipient", "delivery_id"])


def _begun(content: bytes) -> int:
    said: int = json.loads(content)["content"]["begun"]
    return said
