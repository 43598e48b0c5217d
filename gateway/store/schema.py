"""The database's schema: brought up to this program's revision, and refused where it is newer.

An older program must not write into a newer schema: it would leave out what it does not know of. A database that is
one process's own is brought up when that process starts; one that several share is brought up by ``lacolle db
upgrade``, by a role that owns it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.log import initialise
from gateway.errors import StoreError, StoreUnavailableError
from gateway.sealing.contents import Contents
from gateway.store.durability import require_durable
from gateway.store.engine import Store, is_refusal, is_unavailable
from gateway.store.roles import grant_to_exchange, require_exempt
from schemas.bilingual import Bilingual

_MIGRATIONS = Path(__file__).parent / "migrations"
_UPGRADE_LOCK: Final = 0x6C61636F6C6C65
"""PostgreSQL's advisory lock of whoever upgrades."""


async def prepare(store: Store, contents: Contents | None = None) -> None:
    """Make a database ready for this program, or refuse it: what a gateway or a relay does first when it starts.

    SQLite is upgraded. PostgreSQL must be durable, at this program's revision, and give this role what it needs.
    ``contents`` seals what an older program stored as it came. Raises ``StoreError`` with what is to be done.
    """
    if not store.shared:
        await upgrade(store.writer, contents)
        async with store.writer.begin() as connection:
            await initialise(connection)
        return
    await require_ready(store)


async def require_ready(store: Store) -> None:
    """Refuse a database that is not ready for this program, and change nothing of it. Raises ``StoreError``."""
    async with reached(store.writer) as connection:
        if store.shared:
            await require_durable(connection)
        await connection.run_sync(_require_current)
        if store.shared:
            await require_exempt(connection)


async def upgrade(engine: AsyncEngine, contents: Contents | None = None) -> str:
    """Bring the schema to this program's revision, in one transaction; return the revision.

    On PostgreSQL the connecting role becomes, or is, the tables' owner, and the exchange's role, where there is one,
    is granted what it needs. ``contents`` seals what an older program stored as it came: without it a database that
    holds such alerts is refused, and so is one at a revision that this program does not know. Raises ``StoreError``.
    """
    if engine.dialect.name != "postgresql":
        async with engine.begin() as connection:
            sealed = await connection.run_sync(_upgrade, contents)
        if sealed:
            await _forget_plain_pages(engine)
        return head_revision()
    async with reached(engine) as connection:
        await require_durable(connection)
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        await connection.run_sync(_upgrade, contents)
        await initialise(connection)
        await grant_to_exchange(connection)
    return head_revision()


async def current_revision(engine: AsyncEngine) -> str | None:
    """Return the revision that a database is at; None for one without a schema."""
    async with reached(engine) as connection:
        return await connection.run_sync(_current)


def head_revision() -> str:
    """Return the revision that this program is made for."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


@asynccontextmanager
async def reached(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction.

    Raises ``StoreUnavailableError`` where the database can't be reached, ``StoreError`` where it refuses this role.
    """
    try:
        async with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, OSError, ValueError) as error:
        if engine.dialect.name != "postgresql":
            raise
        if _is_distrust(error):
            raise StoreError(_NOT_TRUSTED) from error
        if is_unavailable(error):
            raise StoreUnavailableError(_UNREACHABLE) from error
        if is_refusal(error) or not isinstance(error, SQLAlchemyError):
            raise StoreError(_UNREACHABLE) from error
        raise


def _is_distrust(error: BaseException | None) -> bool:
    """Say whether TLS with the server failed: its certificate, as a rule."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return error is not None


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(current: str | None) -> None:
    known = {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(
            Bilingual(
                fr=f"Le schéma de la base de données en est à la révision {current}, plus récente que ce programme : "
                "lancez le programme plus récent, ou restaurez la base qui va avec celui-ci.",
                en=f"The database's schema is at revision {current}, which is newer than this program: start the newer "
                "program, or restore the database that goes with this one.",
            )
        )


def _require_current(connection: Connection) -> None:
    current, wanted = _current(connection), head_revision()
    _require_known(current)
    if current != wanted:
        raise StoreError(
            Bilingual(
                fr=f"Le schéma de la base de données en est à la révision {current or 'zéro'}, et ce programme a "
                f"besoin de {wanted} : lancez « lacolle db upgrade » sous le rôle propriétaire de la base.",
                en=f"The database's schema is at revision {current or 'zero'}, and this program needs {wanted}: run "
                "“lacolle db upgrade” as the role that owns the database.",
            )
        )


def _upgrade(connection: Connection, contents: Contents | None) -> bool:
    """Bring the schema up; say whether there was anything to seal."""
    _require_known(_current(connection))
    config = _config()
    config.attributes["connection"] = connection
    config.attributes["contents"] = contents
    command.upgrade(config, "head")
    return bool(config.attributes.get("sealed"))


async def _forget_plain_pages(engine: AsyncEngine) -> None:
    """Write a SQLite file anew without the pages in which plain text stood, and empty its WAL."""
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        if driver is not None:
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                driver.execute(statement)


_UNREACHABLE: Final = Bilingual(
    fr="La base de données ne répond pas, ou refuse ce rôle : vérifiez son adresse, le rôle et le mot de passe, et que "
    "le serveur est en marche et accepte TLS.",
    en="The database does not answer, or refuses this role: check its address, the role and the password, and that "
    "the server is running and takes TLS.",
)
_NOT_TRUSTED: Final = Bilingual(
    fr="La liaison TLS avec la base de données échoue : vérifiez que son certificat est valide pour le nom d'hôte de "
    "l'adresse, et qu'il vient d'une autorité de store.ca_file (--database-ca-file).",
    en="TLS with the database fails: check that its certificate is valid for the host name in the address, and that "
    "an authority of store.ca_file (--database-ca-file) has issued it.",
)
