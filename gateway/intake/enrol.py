"""Taking authority statements: a jurisdiction's authority registers a participant, or revokes a key, while we run.

The statement is its own credential: only the pinned authority key of the participant's jurisdiction can have made it.

    form -> verify -> rate -> content -> commit

Whoever it is from is known once it is verified, and not before. So that strangers can't keep the exchange busy with
it, signatures are verified in the process beside this one, as those of submissions are, and one statement at a time:
however many arrive, they never take more than one place among the submissions that wait there. Nothing of a statement's
content is read before.
"""

from __future__ import annotations

import time
from asyncio import Lock
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.errors import StatementRefusedError
from gateway.intake.ratelimit import RateLimiter
from gateway.intake.screening import CLOCK_TOLERANCE
from gateway.signatures.beside import Signatures
from gateway.store.committer import Committer
from gateway.store.registry import StatementRecorded, StatementWriter
from gateway.trust.registry import CurrentRegistry
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.signing.jws import SignatureNotTrustedError
from schemas.statements import (
    UNTRUSTED,
    ClaimedStatement,
    ParticipantStatement,
    StatementError,
    VerifiedStatement,
    claimed_statement,
    signed_statement,
)

_FROM_THE_FUTURE: Final = Bilingual(
    fr="L'attestation est datée dans l'avenir et barrerait toutes les suivantes : réglez l'horloge de l'autorité.",
    en="The statement is dated in the future and would bar all later ones: set the authority's clock right.",
)


_KID_OF_THE_EXCHANGE: Final = Bilingual(
    fr="Ce kid est celui d'une clé de la plateforme, ou commence comme les siens : choisissez-en un qui commence par "
    "le code du participant.",
    en="This kid is that of a key of the exchange, or begins as its own do: choose one that begins with the "
    "participant's code.",
)


@dataclass(frozen=True, slots=True)
class OwnKids:
    """The names of the exchange's own keys: those that it has, and those that it may come to have.

    Whoever verifies a receipt or a delivery finds the exchange's key by its ``kid``. A participant's key of that name,
    or of one that differs from it by case alone, could be taken for it.
    """

    kids: frozenset[KeyId]
    origin: str

    def include(self, kid: KeyId) -> bool:
        """Say whether a ``kid`` is one of these, or begins as those do that ``lacolle init`` gives the exchange."""
        name = kid.casefold()
        family = f"{self.origin}:".replace("/", ".").casefold()
        return name.startswith(family) or name in {own.casefold() for own in self.kids}

    def include_any(self, kids: Iterable[KeyId]) -> bool:
        """Say whether any ``kid`` is one of these."""
        return any(self.include(kid) for kid in kids)


class StatementRecorder:
    """Records statements that are verified already: those of the exchange's own folder, and ``Enrolment``'s."""

    def __init__(self, *, registry: CurrentRegistry, committer: Committer, clock: Clock, own: OwnKids) -> None:
        """``own`` are names that no participant's key may have."""
        self._own = own
        self._committer = committer
        self._clock = clock
        self._writer = StatementWriter(registry)

    async def record(self, statement: VerifiedStatement) -> StatementRecorded:
        """Store a statement and let it count at once.

        The same statement again changes nothing and gets its first place. Raises ``StatementRefusedError``, and
        ``LogUnavailableError`` where it can't be stored now.
        """
        said = statement.statement
        if isinstance(said, ParticipantStatement) and self._own.include_any(key.kid for key in said.keys):
            raise StatementRefusedError(_KID_OF_THE_EXCHANGE)
        if statement.issued_at > self._clock() + CLOCK_TOLERANCE:
            raise StatementRefusedError(_FROM_THE_FUTURE)
        return await self._committer.submit(self._writer, statement)


class Enrolment:
    """The use case of ``POST /v1/statements``."""

    def __init__(
        self,
        *,
        registry: CurrentRegistry,
        signatures: Signatures,
        committer: Committer,
        limiter: RateLimiter,
        clock: Clock,
        own: OwnKids,
    ) -> None:
        self._registry = registry
        self._signatures = signatures
        self._recorder = StatementRecorder(registry=registry, committer=committer, clock=clock, own=own)
        self._limiter = limiter
        self._turn = Lock()

    async def record(self, compact: bytes) -> tuple[VerifiedStatement, StatementRecorded]:
        """Store a statement and let it count at once; return it with its place in the log.

        Raises as ``StatementRecorder.record`` does, and ``RateLimitedError`` where there are more of its authority's
        than its rate.
        """
        try:
            claimed = claimed_statement(compact, self._registry.jurisdictions)
            await self._verify(claimed)
            statement = signed_statement(claimed, self._registry.jurisdictions)
        except StatementError as error:
            raise StatementRefusedError(error.reason) from error
        return statement, await self._recorder.record(statement)

    async def _verify(self, claimed: ClaimedStatement) -> None:
        """Have the signature verified, and take the statement from its authority's rate.

        A key that is not pinned costs as much time as one that is, and is refused in the same words.
        """
        try:
            async with self._turn:
                await self._signatures.verify(claimed.unverified, claimed.key)
        except SignatureNotTrustedError:
            raise StatementError(UNTRUSTED) from None
        if claimed.signer is None:
            raise StatementError(UNTRUSTED)
        self._limiter.take(claimed.signer, now=time.monotonic())
