"""The registry as a database holds it, rebuilt without an exchange that runs: every signature is verified.

It is verified beside the loop, for there may be thousands, and what was verified once need not be again: the same bytes
under the same pinned keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from gateway.store.agreed import NO_END, read_agreements
from gateway.store.past import read_past_statements
from gateway.trust.assay import Assayer, StoredAgreements
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import tampered
from schemas.registry import Registry
from schemas.statements import Jurisdiction, StatementError, VerifiedStatement, read_statement


class Rebuilding:
    """Rebuilds a registry as it was at one time or another, one at a time; remembers what it has verified.

    ``jurisdictions`` are those pinned, with their authority keys.
    """

    def __init__(self, jurisdictions: Iterable[Jurisdiction]) -> None:
        self._pinned = {each.code: each for each in jurisdictions}
        self._assayer = Assayer(self._pinned)
        self._statements: dict[bytes, VerifiedStatement] = {}
        self._turn = asyncio.Lock()

    async def rebuilt(self, connection: AsyncConnection, *, version: int = NO_END) -> CurrentRegistry:
        """Return the registry as it was when it had come to ``version``, all that stands below; or as it is.

        What was altered of agreements counts for nothing, as in an exchange that runs. Raises ``StoreError`` where a
        stored statement is not what an authority has signed.
        """
        stated = await read_past_statements(connection, until=version)
        agreed = await read_agreements(connection, until=version)
        async with self._turn:
            return await asyncio.to_thread(self._verified, stated, agreed)

    def _verified(self, stated: Sequence[bytes], agreed: StoredAgreements) -> CurrentRegistry:
        found = self._assayer.assay(agreed)
        try:
            return CurrentRegistry(Registry.of(self._pinned, [self._statement(each) for each in stated]), found)
        except StatementError as error:
            raise StoreError(tampered(error)) from error

    def _statement(self, compact: bytes) -> VerifiedStatement:
        known = self._statements.get(compact)
        if known is None:
            known = self._statements[compact] = read_statement(compact, self._pinned)
        return known


async def rebuilt_registry(
    connection: AsyncConnection, jurisdictions: Iterable[Jurisdiction], *, version: int = NO_END
) -> CurrentRegistry:
    """Return the registry as it was at a version, or as it is, as ``Rebuilding`` does; nothing is remembered."""
    return await Rebuilding(jurisdictions).rebuilt(connection, version=version)
