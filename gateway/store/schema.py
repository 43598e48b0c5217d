"""The database's schema: brought up to this program's revision, and refused where it is newer.

An older program must not write into a newer schema: it would leave out what it does not know of.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.errors import StoreError
from schemas.bilingual import Bilingual

_MIGRATIONS = Path(__file__).parent / "migrations"


async def upgrade(engine: AsyncEngine) -> None:
    """Bring the schema to this program's revision, in one transaction.

    Raises ``StoreError`` where the database is at a revision that this program does not know.
    """
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection).get_current_revision()
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            Bilingual(
                fr=f"Le schéma de la base de données en est à la révision {current}, plus récente que ce programme : "
                "lancez le programme plus récent, ou restaurez la base qui va avec celui-ci.",
                en=f"The database's schema is at revision {current}, which is newer than this program: start the newer "
                "program, or restore the database that goes with this one.",
            )
        )
    command.upgrade(config, "head")
