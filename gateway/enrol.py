"""Taking authority statements: a jurisdiction's authority registers a participant, or revokes a key, while we run.

The statement is its own credential: only the pinned authority key of the participant's jurisdiction can have made it.
"""

from __future__ import annotations

from gateway.errors import StatementRefusedError
from gateway.registry import CurrentRegistry
from gateway.store.committer import Committer
from gateway.store.registry import StatementRecorded, StatementWriter
from schemas.registry import StatementError, VerifiedStatement, read_statement


class Enrolment:
    """The use case of ``POST /v1/statements``."""

    def __init__(self, *, registry: CurrentRegistry, committer: Committer) -> None:
        self._registry = registry
        self._committer = committer
        self._writer = StatementWriter(check=registry.check, take=registry.take)

    async def record(self, compact: bytes) -> tuple[VerifiedStatement, StatementRecorded]:
        """Store a statement and let it count at once; return it with its place in the log.

        The same statement again changes nothing and gets its first place. Raises ``StatementRefusedError``.
        """
        try:
            statement = read_statement(compact, self._registry.jurisdictions)
        except StatementError as error:
            raise StatementRefusedError(error.reason) from error
        return statement, await self._committer.submit(self._writer, statement)
