"""Taking authority statements: a jurisdiction's authority registers a participant, or revokes a key, while we run.

The statement is its own credential: only the pinned authority key of the participant's jurisdiction can have made it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.errors import StatementRefusedError
from gateway.registry import CurrentRegistry
from gateway.screening import CLOCK_TOLERANCE
from gateway.store.committer import Committer
from gateway.store.registry import StatementRecorded, StatementWriter
from schemas.bilingual import Bilingual
from schemas.ids import KeyId
from schemas.registry import ParticipantStatement, StatementError, VerifiedStatement, read_statement

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


class Enrolment:
    """The use case of ``POST /v1/statements``; ``own`` are names that no participant's key may have."""

    def __init__(self, *, registry: CurrentRegistry, committer: Committer, clock: Clock, own: OwnKids) -> None:
        self._registry = registry
        self._own = own
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
        said = statement.statement
        if isinstance(said, ParticipantStatement) and self._own.include_any(key.kid for key in said.keys):
            raise StatementRefusedError(_KID_OF_THE_EXCHANGE)
        if statement.issued_at > self._clock() + CLOCK_TOLERANCE:
            raise StatementRefusedError(_FROM_THE_FUTURE)
        return statement, await self._committer.submit(self._writer, statement)
