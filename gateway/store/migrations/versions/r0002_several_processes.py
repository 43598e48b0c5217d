"""Several processes on one database: the registry's version, auditors by jurisdiction, a log that only grows.

Revision ID: 0002
Revises: 0001

On PostgreSQL the log's tables refuse to be changed, whoever asks; say that they have grown (``gateway.store.changes``);
and show a role that audits for a jurisdiction what that jurisdiction is a party to (``gateway.store.roles``). SQLite
has none of it: its one file is its one process's.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_LOG_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and on PostgreSQL the guards."""
    op.create_table(
        "registry_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", _LOG_INDEX, nullable=False),
        sa.CheckConstraint("id = 1", name="ck_registry_head_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_registry_head"),
    )
    op.execute(_FIRST_VERSION)
    op.create_table(
        "log_auditors",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("jurisdiction", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("role", name="pk_log_auditors"),
    )
    if op.get_context().dialect.name == "postgresql":
        for statement in (*_ONLY_GROWS, *_TELLS, *_BY_JURISDICTION):
            op.execute(statement)


_FIRST_VERSION = """
INSERT INTO registry_head (id, version)
SELECT 1, COALESCE(MAX(log_index) + 1, 0) FROM (
  SELECT log_index FROM authority_statements UNION ALL SELECT log_index FROM agreements
) AS registered
"""

_REFUSE = """
CREATE FUNCTION lacolle_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the exchange log only grows: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$
"""
_TELL = """
CREATE FUNCTION lacolle_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('lacolle_log', '');
  RETURN NULL;
END $$
"""
_HEAD_GROWS = """
CREATE TRIGGER only_grows BEFORE UPDATE ON log_head FOR EACH ROW WHEN (NEW.size <= OLD.size)
EXECUTE FUNCTION lacolle_refuse()
"""
_ITSELF = "CREATE POLICY auditor_itself ON log_auditors FOR SELECT USING (role = current_user::text)"
_OWN_PARTIES = """
CREATE POLICY own_jurisdiction ON log_parties FOR SELECT USING
(jurisdiction IN (SELECT a.jurisdiction FROM log_auditors a WHERE a.role = current_user::text))
"""
# what a reader sees of log_parties is what it is a party to: its policy holds in here too
_OWN_ENTRIES = """
CREATE POLICY own_jurisdiction ON log_entries FOR SELECT USING
(EXISTS (SELECT 1 FROM log_parties p WHERE p.log_index = log_entries.log_index))
"""


def _guard(table: str, name: str, events: str) -> str:
    return f"CREATE TRIGGER {name} BEFORE {events} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"


_ONLY_GROWS = (
    _REFUSE,
    *(
        _guard(table, "only_grows", "UPDATE OR DELETE OR TRUNCATE")
        for table in ("log_entries", "log_parties", "log_tiles", "checkpoints")
    ),
    _guard("log_head", "stays", "DELETE OR TRUNCATE"),
    _HEAD_GROWS,
)
_TELLS = (_TELL, "CREATE TRIGGER tells AFTER UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION lacolle_tell()")
_BY_JURISDICTION = (
    *(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY" for table in ("log_entries", "log_parties", "log_auditors")),
    _ITSELF,
    _OWN_PARTIES,
    _OWN_ENTRIES,
)
