"""The first schema: the registry, the exchange and the log.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from alembic import op

from audit.tables import metadata
from gateway.store import tables as _tables  # noqa: F401 - importing it adds the exchange's tables to the metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table of the first release."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Refuse: a log is never taken back."""
    raise NotImplementedError("an exchange log is never taken back; restore the backup that goes with the program")
