"""The registry as a database holds it, rebuilt without an exchange that runs: every signature is verified again."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from gateway.store.agreed import NO_END, read_agreements
from gateway.store.past import read_past_statements
from gateway.trust.assay import Assayer
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import tampered
from schemas.registry import Jurisdiction, Registry, StatementError, read_statement


async def rebuilt_registry(
    connection: AsyncConnection, jurisdictions: Iterable[Jurisdiction], *, version: int = NO_END
) -> CurrentRegistry:
    """Return the registry as it was when it had come to ``version``, all that stands below that index; or as it is.

    ``jurisdictions`` are those pinned, with their authority keys. What was altered of agreements counts for nothing, as
    in an exchange that runs. Raises ``StoreError`` where a stored statement is not what an authority has signed.
    """
    pinned = {each.code: each for each in jurisdictions}
    stated = await read_past_statements(connection, until=version)
    found = Assayer(pinned).assay(await read_agreements(connection, until=version))
    try:
        return CurrentRegistry(Registry.of(pinned, [read_statement(compact, pinned) for compact in stated]), found)
    except StatementError as error:
        raise StoreError(tampered(error)) from error
