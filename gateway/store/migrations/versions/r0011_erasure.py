"""Content is sealed at rest, under keys that end; beside it what stays when it is gone.

Revision ID: 0011
Revises: 0010

What an earlier program stored as it came is sealed here, in the same transaction, and kept for as long from its
acceptance as no agreement's term is looked up for: the time that the exchange's settings give by default. On PostgreSQL
the table is written anew, so that no page of it holds the plain text; pages of the disk and the WAL of before are the
operator's to dispose of.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta

import orjson
import sqlalchemy as sa
from alembic import context, op

from gateway.errors import StoreError
from gateway.sealing.contents import Contents, WrappedKey
from schemas.bilingual import Bilingual
from schemas.ids import AlertId
from schemas.signing.jws import ACKNOWLEDGEMENT, read_compact
from schemas.submission import handling_in

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_DAYS = 365
_AT_ONCE = 200


def upgrade() -> None:
    """Add the tables and columns, and seal what is there."""
    op.create_table(
        "content_keys",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("wrapped_by", sa.String(length=37), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(length=60), nullable=False),
        sa.Column("due_ms", sa.BigInteger(), nullable=False),
        sa.Column("retain_days", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(length=9), nullable=False),
        sa.Column("held_by", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name="pk_content_keys"),
    )
    op.create_index("ix_content_keys_wrapped_by", "content_keys", ["wrapped_by"])
    for name, column, where in (("due", "due_ms", "held_by IS NULL"), ("held", "held_by", "held_by IS NOT NULL")):
        condition = sa.text(where)
        op.create_index(
            f"ix_content_keys_{name}", "content_keys", [column], sqlite_where=condition, postgresql_where=condition
        )
    op.create_table(
        "content_statements",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("statement", sa.String(length=13), nullable=False),
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("jurisdiction", sa.String(length=6), nullable=False),
        sa.Column("ends", sa.LargeBinary(length=32), nullable=True),
        sa.Column("compact", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_content_statements"),
        sa.UniqueConstraint("ends", name="uq_content_statements_ends"),
        sa.UniqueConstraint("log_index", name="uq_content_statements_log_index"),
    )
    op.create_index("ix_content_statements_alert_id", "content_statements", ["alert_id"])
    op.add_column("alerts", sa.Column("submission_digest", sa.LargeBinary(length=32), nullable=True))
    op.add_column("alerts", sa.Column("handling", sa.Text(), nullable=True))
    postgres = op.get_context().dialect.name == "postgresql"
    if postgres:
        op.execute(
            "CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON content_statements "
            "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
        )
    if op.get_bind().scalar(sa.text("SELECT 1 FROM alerts LIMIT 1")) is not None:
        tables = ("alerts", "acknowledgements") if postgres else ()
        for table in tables:
            op.execute(f"ALTER TABLE {table} DISABLE TRIGGER only_grows")
        _seal()
        for table in tables:
            op.execute(f"ALTER TABLE {table} ENABLE TRIGGER only_grows")
            op.execute(f"CLUSTER {table} USING pk_{table}")
        context.config.attributes["sealed"] = True
    with op.batch_alter_table("alerts") as batch:
        batch.alter_column("submission_digest", existing_type=sa.LargeBinary(length=32), nullable=False)
        batch.alter_column("handling", existing_type=sa.Text(), nullable=False)


def _seal() -> None:
    """Seal every alert's submission, in the order of their ids."""
    contents = context.config.attributes.get("contents")
    if contents is None:
        raise StoreError(_NO_KEY)
    connection, after = op.get_bind(), ""
    today = datetime.now(tz=UTC).date()
    while rows := connection.execute(_ROWS, {"after": after, "most": _AT_ONCE}).all():
        for alert_id, received_ms, submission in rows:
            due = max(
                datetime.fromtimestamp(received_ms / 1000, tz=UTC) + timedelta(days=_DAYS),
                datetime.now(tz=UTC) + timedelta(days=1),
            )
            sealed = contents.seal(AlertId(alert_id), submission, until=due.date(), today=today, randomness=os.urandom)
            _seal_notes(connection, contents, AlertId(alert_id), sealed.key)
            handling = handling_in(submission)
            kept = {"tlp": handling["tlp"], "codes": handling.get("codes", []), "purpose": handling["purpose"]}
            connection.execute(
                _SEALED,
                {
                    "of": alert_id,
                    "submission": sealed.data,
                    "digest": hashlib.sha256(submission).digest(),
                    "handling": orjson.dumps(kept).decode(),
                },
            )
            connection.execute(
                _KEY,
                {
                    "of": alert_id,
                    "by": sealed.key.by,
                    "wrapped": sealed.key.wrapped,
                    "due": int(due.timestamp() * 1000),
                    "days": _DAYS,
                },
            )
        after = rows[-1].alert_id


def _seal_notes(connection: sa.Connection, contents: Contents, alert_id: AlertId, key: WrappedKey) -> None:
    """Seal the words of an alert's recipients that have a note."""
    for delivery_id, status, compact in connection.execute(_WORDS, {"of": alert_id}).all():
        if orjson.loads(read_compact(compact, ACKNOWLEDGEMENT).payload).get("note") is None:
            continue
        place = f"acknowledgement {delivery_id} {status}"
        sealed = contents.seal_beside(alert_id, key, compact, place=place, randomness=os.urandom)
        connection.execute(_SEALED_WORD, {"of": delivery_id, "status": status, "compact": sealed})


_WORDS = sa.text("SELECT delivery_id, status, compact FROM acknowledgements WHERE alert_id = :of")
_SEALED_WORD = sa.text("UPDATE acknowledgements SET compact = :compact WHERE delivery_id = :of AND status = :status")
_ROWS = sa.text(
    "SELECT alert_id, received_ms, submission FROM alerts WHERE alert_id > :after ORDER BY alert_id LIMIT :most"
)
_SEALED = sa.text(
    "UPDATE alerts SET submission = :submission, submission_digest = :digest, handling = :handling WHERE alert_id = :of"
)
_KEY = sa.text(
    "INSERT INTO content_keys (alert_id, wrapped_by, wrapped, due_ms, retain_days, basis)"
    " VALUES (:of, :by, :wrapped, :due, :days, 'default')"
)
_NO_KEY = Bilingual(
    fr="Cette base contient des alertes qu'un programme antérieur a conservées en clair : lancez « lacolle db upgrade "
    "» avec --exchange DOSSIER, le dossier de la plateforme et de ses clés, pour qu'elles soient chiffrées.",
    en="This database holds alerts that an earlier program stored in the clear: run “lacolle db upgrade” with "
    "--exchange DIRECTORY, the folder of the exchange and its keys, so that they are sealed.",
)
