"""The schema that the revisions make is the one that the program is written for, on either database."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from audit.tables import metadata
from tests.unit.gateway.ground import Ground


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_the_revisions_make_what_the_models_say(ground: Ground) -> None:
    """A table, column or index that a model has got and no revision makes would be missing where it is first used."""
    async with ground.store.reading() as connection:
        assert await connection.run_sync(_differences) == []
