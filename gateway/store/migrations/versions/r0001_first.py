"""The first schema: the registry, the exchange and the log, as they were then; what came later is in later revisions.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LOG_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table of the first release."""
    _make_registry()
    _make_exchange()
    _make_log()


def _make_registry() -> None:
    op.create_table(
        "jurisdictions",
        sa.Column("code", sa.String(length=6), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_jurisdictions"),
    )
    op.create_table(
        "authority_statements",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("participant", sa.String(length=70), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_authority_statements"),
        sa.UniqueConstraint("log_index", name="uq_authority_statements_log_index"),
    )
    op.create_table(
        "agreements",
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agreement", "version", name="pk_agreements"),
    )


def _make_exchange() -> None:
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("thread", sa.String(length=36), nullable=False),
        sa.Column("sender", sa.String(length=70), nullable=False),
        sa.Column("identifier", sa.String(length=256), nullable=False),
        sa.Column("payload_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("type", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("msg_type", sa.String(length=8), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("submission", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
        sa.UniqueConstraint("sender", "identifier", name="uq_alerts_sender_identifier"),
    )
    op.create_table(
        "dispatches",
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("thread", sa.String(length=36), nullable=False),
        sa.Column("recipient", sa.String(length=70), nullable=False),
        sa.Column("lane", sa.String(length=7), nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("clause", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("deadline_ms", sa.BigInteger(), nullable=False),
        sa.Column("settled_ms", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_dispatches"),
    )
    op.create_index("ix_dispatches_alert", "dispatches", ["alert_id"])
    op.create_index("ix_dispatches_deadline", "dispatches", ["state", "deadline_ms"])
    op.create_index("ix_dispatches_route", "dispatches", ["recipient", "lane", "state", "due_ms", "log_index"])
    op.create_index("ix_dispatches_thread", "dispatches", ["thread", "recipient", "log_index"])
    op.create_table(
        "acknowledgements",
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("participant", sa.String(length=70), nullable=False),
        sa.Column("at", sa.String(length=40), nullable=False),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "status", name="pk_acknowledgements"),
    )
    op.create_index("ix_acknowledgements_alert_id", "acknowledgements", ["alert_id"])
    op.create_table(
        "client_assertions",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_client_assertions"),
    )
    op.create_index("ix_client_assertions_expires_ms", "client_assertions", ["expires_ms"])


def _make_log() -> None:
    op.create_table(
        "log_entries",
        sa.Column("log_index", _LOG_INDEX, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("alert_id", sa.Text(), nullable=True),
        sa.Column("agreement", sa.Text(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name="pk_log_entries"),
    )
    op.create_index(
        "ix_log_entries_alert_id",
        "log_entries",
        ["alert_id"],
        sqlite_where=sa.text("alert_id IS NOT NULL"),
        postgresql_where=sa.text("alert_id IS NOT NULL"),
    )
    op.create_table(
        "log_parties",
        sa.Column("jurisdiction", sa.Text(), nullable=False),
        sa.Column("log_index", _LOG_INDEX, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("jurisdiction", "log_index", name="pk_log_parties"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("size", _LOG_INDEX, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_log_head_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )
    op.create_table(
        "log_tiles",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("tile", _LOG_INDEX, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "tile", name="pk_log_tiles"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", _LOG_INDEX, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_checkpoints"),
    )
