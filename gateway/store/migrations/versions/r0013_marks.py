"""No identifier of an alert outside what is sealed: marks stand for names, under a key that is not in the database.

Revision ID: 0013
Revises: 0012

Where there are alerts they are marked here, in the same transaction, with the keys given: the identifier is sealed
under the alert's content key, and not kept where that is gone; the digest of the payload becomes a mark, and the
receipt in the answer is detached. As in 0011, tables are written anew, and old pages and WAL are the operator's to
dispose of.
"""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from gateway.errors import StoreError
from gateway.receipts import detached
from gateway.sealing.contents import IDENTIFIER, Contents, WrappedKey
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError, SealingError
from gateway.sealing.marks import Marks
from gateway.store.content_keys import require_some
from gateway.store.names import name_mark, payload_mark
from schemas.bilingual import Bilingual
from schemas.ids import AlertId

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_AT_ONCE = 200


def upgrade() -> None:
    """Add the table that says by which key marks were made, and mark what is there."""
    postgres = op.get_context().dialect.name == "postgresql"
    op.create_table(
        "mark_key",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("mark", sa.LargeBinary(length=32), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_mark_key_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_mark_key"),
    )
    for name in ("name", "payload_mark"):
        op.add_column("alerts", sa.Column(name, sa.LargeBinary(length=32), nullable=True))
    op.add_column("alerts", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    _set_citations_aside(postgres=postgres)
    there = op.get_bind().scalar(sa.text("SELECT 1 FROM alerts LIMIT 1")) is not None
    if there:
        if postgres:
            op.execute("ALTER TABLE alerts DISABLE TRIGGER only_grows")
        _mark()
        if postgres:
            op.execute("ALTER TABLE alerts ENABLE TRIGGER only_grows")
        context.config.attributes["sealed"] = True
    op.drop_table("citations_before")
    with op.batch_alter_table("alerts") as batch:
        batch.drop_constraint("uq_alerts_sender_identifier", type_="unique")
        batch.drop_column("identifier")
        batch.drop_column("payload_digest")
        for name in ("name", "payload_mark"):
            batch.alter_column(name, existing_type=sa.LargeBinary(length=32), nullable=False)
        batch.create_unique_constraint("uq_alerts_name", ["name"])
    op.execute("ALTER TABLE alerts RENAME COLUMN sealed TO identifier")
    if postgres:
        for table in ("mark_key", "citations"):
            op.execute(
                f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
            )
        if there:
            op.execute("CLUSTER alerts USING pk_alerts")


def _set_citations_aside(*, postgres: bool) -> None:
    """Make the table of citations anew, beside the one of before."""
    op.rename_table("citations", "citations_before")
    if postgres:
        op.execute("ALTER INDEX pk_citations RENAME TO pk_citations_before")
    op.create_table(
        "citations",
        sa.Column("alert_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sender", sa.String(length=70), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "name", name="pk_citations"),
    )


def _mark() -> None:
    """Mark every alert and what it cites, in the order of their ids, and say by which key."""
    contents = context.config.attributes.get("contents")
    if contents is None:
        raise StoreError(_NO_KEY)
    _require_keys(contents)
    marks, connection, after = contents.found_marks(), op.get_bind(), ""
    connection.execute(_KEY, {"mark": marks.check})
    while rows := connection.execute(_ROWS, {"after": after, "most": _AT_ONCE}).all():
        connection.execute(_MARKED, [_marked(contents, marks, row) for row in rows])
        after = rows[-1].alert_id
        cited = connection.execute(_CITED, {"first": rows[0].alert_id, "last": after}).all()
        citations = [
            {"of": each.alert_id, "name": name_mark(marks, each.sender, each.identifier), "sender": each.sender}
            for each in cited
        ]
        if citations:
            connection.execute(_CITATION, citations)


def _require_keys(contents: Contents) -> None:
    """Raise ``StoreError`` where the keys given are not this database's: each identifier would be lost for good.

    One key that is lost or damaged concerns its own alerts alone, whose identifiers nobody can seal any more.
    """
    needed = [name for name in op.get_bind().scalars(_NEEDED) if not contents.is_over(name)]
    try:
        contents.folder.require_usable()
        require_some(needed, contents)
    except SealingError as error:
        raise StoreError(error.reason) from error


def _marked(contents: Contents, marks: Marks, row: sa.Row[Any]) -> dict[str, Any]:
    name = name_mark(marks, row.sender, row.identifier)
    key = None if row.wrapped is None else WrappedKey(row.wrapped_by, bytes(row.wrapped))
    sealed: bytes | None
    try:
        sealed = contents.seal_beside(
            AlertId(row.alert_id), key, row.identifier.encode(), place=IDENTIFIER, randomness=os.urandom
        )
    except (ContentErasedError, ContentUnreadableError):
        sealed = None
    try:
        answer = detached(bytes(row.answer))
    except ValueError:
        raise StoreError(_ALTERED) from None
    return {
        "of": row.alert_id,
        "name": name,
        "payload": payload_mark(marks, name, bytes(row.payload_digest)),
        "sealed": sealed,
        "answer": answer,
    }


_KEY = sa.text("INSERT INTO mark_key (id, mark, since) VALUES (1, :mark, COALESCE((SELECT size FROM log_head), 0))")
_NEEDED = sa.text("SELECT DISTINCT wrapped_by FROM content_keys ORDER BY wrapped_by")
_ROWS = sa.text(
    "SELECT a.alert_id, a.sender, a.identifier, a.payload_digest, a.answer, k.wrapped_by, k.wrapped"
    " FROM alerts a LEFT JOIN content_keys k ON k.alert_id = a.alert_id"
    " WHERE a.alert_id > :after ORDER BY a.alert_id LIMIT :most"
)
_MARKED = sa.text(
    "UPDATE alerts SET name = :name, payload_mark = :payload, sealed = :sealed, answer = :answer WHERE alert_id = :of"
)
_CITED = sa.text("SELECT alert_id, sender, identifier FROM citations_before WHERE alert_id BETWEEN :first AND :last")
_CITATION = sa.text("INSERT INTO citations (alert_id, name, sender) VALUES (:of, :name, :sender)")
_NO_KEY = Bilingual(
    fr="Cette base contient des alertes dont un programme antérieur a conservé l'identifiant en clair : lancez "
    "« lacolle db upgrade » avec --exchange DOSSIER, le dossier de la plateforme et de ses clés, pour qu'il soit "
    "chiffré.",
    en="This database holds alerts whose identifiers an earlier program stored in the clear: run “lacolle db upgrade” "
    "with --exchange DIRECTORY, the folder of the exchange and its keys, so that they are sealed.",
)
_ALTERED = Bilingual(
    fr="Une réponse conservée n'a pas la forme que lui a donnée la plateforme : la base a été altérée. Restaurez-la "
    "d'une sauvegarde.",
    en="A stored answer has not the form that the exchange gave it: the database was altered. Restore it from a "
    "backup.",
)
