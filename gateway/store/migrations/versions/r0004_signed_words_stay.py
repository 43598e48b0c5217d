"""On PostgreSQL alerts, acknowledgements, agreements, statements and pins are only ever added to, like the log.

Revision ID: 0004
Revises: 0003

Each of them is somebody's signed word, or what was pinned when the exchange was set up: nothing updates or deletes one.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = ("alerts", "acknowledgements", "agreements", "authority_statements", "jurisdictions")


def upgrade() -> None:
    """Add the guards."""
    if op.get_context().dialect.name == "postgresql":
        for table in _TABLES:
            op.execute(
                f"CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION lacolle_refuse()"
            )
