"""Following what other processes of the exchange have written.

Several gateways share one log. What one of them learns, a revocation first of all, must count for the others from the
entry that records it. So whoever holds the head, to write the next entries, first reads what the registry gained since
it looked last: one query, in the same transaction, with no instant between the two. What only reads (tokens, the
public registry) follows within ``INTERVAL``.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy import bindparam, literal, select, union_all
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.signed import UntrustedAgreementError, VerifiedAgreement, read_signed
from agreements.succession import ConflictingVersionsError
from audit.checkpoints import Checkpoint, read_latest
from audit.errors import LogStateError
from audit.log import read_head
from gateway.errors import LogUnavailableError
from gateway.founding import Founded
from gateway.store.committer import Batch
from gateway.store.engine import Store
from gateway.store.tables import agreements, authority_statements
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId, home_of
from schemas.registry import StatementError, read_statement

log = structlog.get_logger(__name__)

INTERVAL: Final = 0.25
"""Seconds between two looks at what others have published."""
_STATEMENT: Final = "statement"


class RegistryFollower:
    """Keeps one process's registry up with the database's."""

    def __init__(self, founded: Founded) -> None:
        self._registry = founded.registry
        self._seen = founded.size

    async def opened(self, batch: Batch) -> None:
        """Follow within a batch: nobody else writes until it ends, so after this the registry is the log's."""
        if batch.log.size > self._seen:
            await self._follow(batch.connection)
            self._seen = batch.log.size
        batch.after_commit.append(lambda: self._moved(batch.log.size))  # what is our own counts without being read

    async def look(self, connection: AsyncConnection) -> None:
        """Follow outside of a batch."""
        size = (await read_head(connection)).size
        if size > self._seen:
            await self._follow(connection)
            self._moved(size)

    def _moved(self, size: int) -> None:
        self._seen = max(self._seen, size)

    async def _follow(self, connection: AsyncConnection) -> None:
        for row in await connection.execute(_NEWS, {"seen": self._seen}):
            if row.kind == _STATEMENT:
                self._state(row.signed, ParticipantId(row.about))
            else:
                self._agree(row.signed)

    def _state(self, compact: bytes, participant: ParticipantId) -> None:
        if home_of(participant) not in self._registry.jurisdictions:
            # another process was started with a newer file of jurisdictions; whom we don't know we don't believe
            log.warning("statement_of_unknown_jurisdiction", participant=participant)
            return
        try:
            verified = read_statement(compact, self._registry.jurisdictions)
        except StatementError as error:
            raise LogStateError(_ALTERED) from error
        self._registry.follow(verified)

    def _agree(self, general: bytes) -> None:
        try:
            signed = read_signed(general, self._registry.jurisdictions)
            if all(known.signed.payload != signed.payload for known in self._registry.agreements):
                self._registry.agree(VerifiedAgreement(signed))
        except (UntrustedAgreementError, ConflictingVersionsError, ValueError) as error:
            # so it lets nothing through here; a traceback would repeat the document
            log.error("agreement_not_followed", error=type(error).__name__)  # noqa: TRY400 - the line above


class CheckpointFeed:
    """The last checkpoint, as whoever signs them has published it, and how far the log has grown."""

    def __init__(self, store: Store, follower: RegistryFollower | None = None) -> None:
        self._store = store
        self._follower = follower
        self._latest: Checkpoint | None = None

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that was published last; None before the first."""
        return self._latest

    async def look(self) -> None:
        """Read it now."""
        async with self._store.reading() as connection:
            self._latest = await read_latest(connection)
            if self._follower is not None:
                await self._follower.look(connection)

    async def run(self) -> None:
        """Read it again and again until cancelled, also where the database is away for a while."""
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.look()
            except (SQLAlchemyError, LogUnavailableError, OSError) as error:
                log.warning("database_away", error=type(error).__name__)
                await asyncio.sleep(1.0)


_NEWS: Final = union_all(
    select(
        literal(_STATEMENT).label("kind"),
        authority_statements.c.log_index,
        authority_statements.c.participant.label("about"),
        authority_statements.c.compact.label("signed"),
    ).where(authority_statements.c.log_index >= bindparam("seen")),
    select(
        literal("agreement").label("kind"),
        agreements.c.log_index,
        agreements.c.agreement.label("about"),
        agreements.c.signed,
    ).where(agreements.c.log_index >= bindparam("seen")),
).order_by("log_index")

_ALTERED: Final = Bilingual(
    fr="Une attestation de la base de données a été altérée : restaurez-en une copie sûre.",
    en="A statement in the database was altered: restore a sound copy of it.",
)
