"""Taking authority statements: a jurisdiction's authority registers a participant, or revokes a key, while we run.

The statement is its own credential: only the pinned authority key of the participant's jurisdiction can have made it.
"""

from __future__ import annotations

from typing import Final

from gateway.clock import Clock
from gateway.errors import StatementRefusedError
from gateway.registry import CurrentRegistry
from gateway.screening import CLOCK_TOLERANCE
from gateway.store.committer import Committer
from gateway.store.registry import StatementRecorded, StatementWriter
from schemas.bilingual import Bilingual
from schemas.registry import StatementError, VerifiedStatement, read_statement

_FROM_THE_FUTURE: Final = Bilingual(
    fr="L'attestation est datée dans l'avenir et barrerait toutes les suivantes : réglez l'horloge de l'autorité.",
    en="The statement is dated in the future and would bar all later ones: set the authority's clock right.",
)


class Enrolment:
    """The use case of ``POST /v1/statements``."""

    def __init__(self, *, registry: CurrentRegistry, committer: Committer, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self._committer = committer
        self._writer = StatementWriter(registry)

    async def record(self, compact: bytes) -> tuple[VerifiedStatement, StatementRecorded]:
        """Store a statement and let it count at once; return it with its place in the log.

        The same statement again changes nothing and gets its first place. Raises ``StatementRefusedError``.
        """
        try:
            statement = read_statement(compact, self._registry.jurisdictions)
        except StatementError as error:
            raise StatementRefusedError(error.reason) from error
        if statement.issued_at > self._clock() + CLOCK_TOLERANCE:
            raise StatementRefusedError(_FROM_THE_FUTURE)
        return statement, await self._committer.submit(self._writer, statement)
