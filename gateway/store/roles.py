"""Who may do what in PostgreSQL: the owner makes tables, the exchange works in them, an auditor reads its own part.

    lacolle_exchange   inserts everywhere; updates the two heads, the dispatches and the keys to content, which it
                       deletes too; never what was logged or signed
    lacolle_auditor    reads the log's public parts, and of entries and parties those of its own jurisdiction

Both are groups that nobody logs in as. A login of the exchange is exempt from row-level security, for PostgreSQL lets
no role that it applies to insert by COPY; an auditor's login is bound to one jurisdiction by a row of ``log_auditors``,
which the owner alone writes. None of them owns a table, so none can lift the triggers of revisions 0002, 0004, 0006,
0007, 0008, 0011, 0012 and 0013.

Advisory locks are open to everybody in PostgreSQL, and the relays contend by one: they are taken from everybody but the
exchange, lest an auditor keep every relay from working. Only a superuser can do that, in each database.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, TypeAlias

from sqlalchemy import delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from gateway.store.scram import verifier
from gateway.store.tables import log_auditors
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode

EXCHANGE: Final = "lacolle_exchange"
AUDITOR: Final = "lacolle_auditor"

NewPassword: TypeAlias = Callable[[str], str]
"""Returns the password of a new login, by its name; asked before the login is made."""

_GROWS: Final = (
    "log_entries, log_parties, log_tiles, log_segments, log_postings, checkpoints, "
    "alerts, acknowledgements, agreements, agreement_proposals, agreement_signatures, agreement_steps, "
    "authority_statements, jurisdictions, consent_requests, consent_answers, content_statements, citations, "
    "period_statements, reconciliations, mark_key"
)
"""Tables that are only ever added to; the triggers refuse the rest to everybody."""
_CHANGES: Final = "log_head, registry_head, dispatches"
_PASSES: Final = "client_assertions, cosignatures, log_doubts, open_exports"
_FOR_AUDITORS: Final = "log_entries, log_parties, log_auditors, log_head, log_tiles, checkpoints, cosignatures"
_ENDS: Final = "content_keys"
"""What is changed and then deleted: the key to an alert's content."""
_EXCHANGE_GRANTS: Final = (
    f"REVOKE ALL ON {_GROWS}, {_CHANGES}, {_PASSES}, {_ENDS} FROM {EXCHANGE}",  # what an earlier program granted
    f"GRANT USAGE ON SCHEMA public TO {EXCHANGE}",
    f"GRANT SELECT, INSERT ON {_GROWS} TO {EXCHANGE}",
    f"GRANT SELECT, INSERT, UPDATE ON {_CHANGES} TO {EXCHANGE}",
    f"GRANT SELECT, INSERT, DELETE ON {_PASSES} TO {EXCHANGE}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {_ENDS} TO {EXCHANGE}",
    f"GRANT SELECT ON alembic_version TO {EXCHANGE}",
)
_AUDITOR_GRANTS: Final = (
    f"GRANT USAGE ON SCHEMA public TO {AUDITOR}",
    f"GRANT SELECT ON {_FOR_AUDITORS} TO {AUDITOR}",
)
_AUDITOR_BOUNDS: Final = (
    "CONNECTION LIMIT 10",
    "SET default_transaction_read_only = on",
    # against a session that was forgotten; whoever means to can lift them for itself
    "SET statement_timeout = '10min'",
    "SET idle_in_transaction_session_timeout = '1min'",
)
_ADVISORY: Final = """
SELECT oid::regprocedure::text AS function, has_function_privilege(:role, oid, 'EXECUTE') AS granted
FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_'
"""


async def create_groups(connection: AsyncConnection) -> None:
    """Make both groups where they are missing, and grant them what they need in this database.

    The connecting role must own the tables and be allowed to make roles.
    """
    for name in (EXCHANGE, AUDITOR):
        if not await _exists(connection, name):
            await connection.execute(text(f"CREATE ROLE {_quoted(connection, name)} NOLOGIN"))
    await grant_to_exchange(connection)


async def grant_to_exchange(connection: AsyncConnection) -> None:
    """Grant the groups that exist what they need of the tables as they are now."""
    for name, grants in ((EXCHANGE, _EXCHANGE_GRANTS), (AUDITOR, _AUDITOR_GRANTS)):
        if await _exists(connection, name):
            for statement in grants:
                await connection.execute(text(statement))
    if await _exists(connection, EXCHANGE):
        await _keep_locks_for_the_exchange(connection)


def random_password(_name: str) -> str:
    """Return a password that nobody has had, of 192 bits."""
    return secrets.token_urlsafe(24)


async def create_exchange_login(
    connection: AsyncConnection, name: str, *, new_password: NewPassword = random_password
) -> str | None:
    """Make a login for gateways and relays and return its password; None where it exists, and keeps its own."""
    password = await _create_login(connection, name, "BYPASSRLS", new_password)
    await connection.execute(text(f"GRANT {EXCHANGE} TO {_quoted(connection, name)}"))
    return password


async def create_auditor_login(
    connection: AsyncConnection,
    name: str,
    jurisdiction: JurisdictionCode,
    *,
    new_password: NewPassword = random_password,
) -> str | None:
    """Make a login that reads a jurisdiction's part of the log and return its password; None where it exists.

    Raises ``StoreError`` where an auditor could take the relays' lock.
    """
    if any(row.granted for row in await connection.execute(text(_ADVISORY), {"role": AUDITOR})):
        raise StoreError(_LOCKS_ARE_OPEN)
    password = await _create_login(connection, name, "", new_password)
    quoted = _quoted(connection, name)
    await connection.execute(text(f"GRANT {AUDITOR} TO {quoted}"))
    for bound in _AUDITOR_BOUNDS:
        await connection.execute(text(f"ALTER ROLE {quoted} {bound}"))
    await connection.execute(delete(log_auditors).where(log_auditors.c.role == name))
    await connection.execute(insert(log_auditors), {"role": name, "jurisdiction": jurisdiction})
    return password


async def require_exempt(connection: AsyncConnection) -> None:
    """Raise ``StoreError`` where row-level security applies to the connecting role: it could not write the log."""
    if await connection.scalar(text("SELECT row_security_active('log_entries')")):
        raise StoreError(_NOT_EXEMPT)


async def _keep_locks_for_the_exchange(connection: AsyncConnection) -> None:
    """Take advisory locks from everybody but the exchange and the owner; no more than a warning where this can't."""
    functions = ", ".join(row.function for row in await connection.execute(text(_ADVISORY), {"role": EXCHANGE}))
    await connection.execute(text(f"GRANT EXECUTE ON FUNCTION {functions} TO {EXCHANGE}, CURRENT_USER"))
    await connection.execute(text(f"REVOKE EXECUTE ON FUNCTION {functions} FROM PUBLIC"))


async def _create_login(
    connection: AsyncConnection, name: str, attributes: str, new_password: NewPassword
) -> str | None:
    if await _exists(connection, name):
        return None
    password = new_password(name)
    # a server that logs statements learns no password
    kept = verifier(password, salt=secrets.token_bytes(16)).replace(":", r"\:")
    await connection.execute(
        text(f"CREATE ROLE {_quoted(connection, name)} LOGIN INHERIT {attributes} PASSWORD '{kept}'")
    )
    return password


async def _exists(connection: AsyncConnection, name: str) -> bool:
    return bool(await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": name}))


def _quoted(connection: AsyncConnection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name).replace(":", r"\:")


_NOT_EXEMPT: Final = Bilingual(
    fr="Ce rôle de la base de données n'est pas celui d'une plateforme : créez-en un avec « lacolle db roles "
    "--exchange NOM », et donnez-le dans l'adresse de la base.",
    en="This database role is not one of an exchange: make one with “lacolle db roles --exchange NAME”, and name it in "
    "the database's address.",
)
_LOCKS_ARE_OPEN: Final = Bilingual(
    fr="Dans cette base, tout rôle peut prendre le verrou des relais et arrêter les remises, et votre rôle ne peut le "
    "leur retirer : lancez « lacolle db roles » une première fois comme superutilisateur.",
    en="In this database every role can take the relays' lock and stop the deliveries, and yours can't take that from "
    "them: run “lacolle db roles” once as a superuser.",
)
