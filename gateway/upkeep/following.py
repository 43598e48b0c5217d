"""Keeping up with what other processes log: a statement or an agreement that one of them records counts in all.

A batch brings the registry up to date once it holds the log's head, so nothing is ever written by an older one. What is
answered without a batch (a stranger's signature, a bearer token) is decided by a registry that is some milliseconds
behind, under load some fifty, and a stranger is refused only after another look.

A process may run with an older jurisdictions file than another. What concerns a jurisdiction that it has not pinned it
leaves out, and says so: it can verify none of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import LogUnavailableError, OvertakenError, StoreError
from gateway.store.agreed import read_agreements
from gateway.store.changes import growths
from gateway.store.engine import Store
from gateway.store.registry import StoredStatement, read_registry, read_version
from gateway.trust.assay import Assayed, Assayer, StoredAgreements
from gateway.trust.registry import CurrentRegistry
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, home_of
from schemas.statements import Jurisdiction, StatementError, read_statement

log = structlog.get_logger(__name__)

ResultT = TypeVar("ResultT")
_AGAIN: Final = 0.5
"""Seconds until a look that failed is repeated."""
_REST: Final = 0.05
"""Seconds between two looks at least: under load the log grows dozens of times a second, and the registry does not."""
_TIMES: Final = 5
"""How often something is decided anew at most because the registry moved meanwhile."""


class RegistryFollower:
    """Brings a process's registry up to date with the database."""

    def __init__(self, registry: CurrentRegistry, store: Store, assayer: Assayer | None = None) -> None:
        self.assayer = assayer or Assayer(registry.jurisdictions)
        self._registry = registry
        self._store = store
        self._look: asyncio.Task[None] | None = None

    @property
    def version(self) -> int:
        """How far this process's registry has come."""
        return self._registry.version

    async def refresh(self, connection: AsyncConnection) -> None:
        """Take what the connection sees and the registry has not; every signature is verified again.

        An agreement that is not as its parties signed it counts for nothing from here on. Raises ``StoreError`` where
        an authority statement is not.
        """
        if await read_version(connection) <= self._registry.version:
            return
        stored = await read_registry(connection, since=self._registry.version)
        pinned = self._registry.jurisdictions
        try:
            statements = [read_statement(each.compact, pinned) for each in stored.statements if _is_known(each, pinned)]
            found = await self._found(connection, stored.agreements)
            self._registry.follow(stored.version, statements, found)
        except StatementError as error:
            raise StoreError(tampered(error)) from error
        log.info("registry_followed", version=stored.version)

    async def _found(self, connection: AsyncConnection, fresh: StoredAgreements) -> Assayed:
        """Return what is found with what is new; all of it is read again where something was found sound again."""
        if fresh.restores:
            return self.assayer.assay(await read_agreements(connection))
        before = self._registry.found
        found = self.assayer.assay(fresh, before=before)
        tell(before, found)
        return found

    async def look(self) -> None:
        """Bring the registry up to date, outside of any batch. Callers at one time share a look that starts after them.

        Raises ``LogUnavailableError`` where the database can't be read now.
        """
        if not self._store.shared:  # whatever is recorded is recorded by this process
            return
        earlier = self._look
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        if self._look is earlier or self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_now(), name="registry")
        await asyncio.shield(self._look)

    async def run(self) -> None:
        """Follow until cancelled. A look that fails is repeated until one succeeds, also where the log is at rest."""
        async for _ in growths(self._store):
            while not await self._looked():  # noqa: ASYNC110 - a database that is back tells nobody
                await asyncio.sleep(_AGAIN)
            await asyncio.sleep(_REST)

    async def _looked(self) -> bool:
        try:
            await self.look()
        except LogUnavailableError:
            log.warning("registry_waits_for_the_database")
            return False
        return True

    async def _look_now(self) -> None:
        async with self._store.reading() as connection:
            await self.refresh(connection)


async def no_look() -> None:
    """See nothing new: what a registry that no other process changes is looked at with."""


async def decided_anew(decide: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Return what ``decide`` comes to, which is asked again while the registry moves under it.

    Raises ``LogUnavailableError`` where that does not end.
    """
    for _ in range(_TIMES):
        try:
            return await decide()
        except OvertakenError:
            continue
    raise LogUnavailableError


def _is_known(stored: StoredStatement, pinned: Mapping[JurisdictionCode, Jurisdiction]) -> bool:
    """Say whether this process knows a statement's jurisdiction; another may have been started with a newer file."""
    if home_of(stored.participant) in pinned:
        return True
    log.warning("statement_of_unknown_jurisdiction", participant=stored.participant)
    return False


def tell(before: Assayed, found: Assayed) -> None:
    """Say in the process's log what was found anew to be altered, or to be of a jurisdiction that is not pinned here.

    Pins come from the operator's file alone: a key that the database names would vouch for whatever the database says.
    """
    for name in sorted(found.beyond - before.beyond):
        log.warning("agreement_of_unknown_jurisdiction", agreement=name)
    for name in sorted(found.altered.keys() - before.altered.keys()):
        log.critical("agreement_altered", agreement=name, found=found.altered[name])


def tampered(error: Exception) -> Bilingual:
    """Return what the operator is told of a database whose registry no authority has signed."""
    return Bilingual(
        fr=f"Le registre de la base de données a été altéré ({error}) : restaurez-en une copie sûre.",
        en=f"The registry in the database was tampered with ({error}): restore a sound copy of it.",
    )
