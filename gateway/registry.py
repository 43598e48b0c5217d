"""The registry as this process sees it: verified documents in memory, replaced whole and at once.

A revocation counts from the moment its entry is committed: what was verified before and commits after is caught by the
acceptance's own check of its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from agreements.signed import VerifiedAgreement
from agreements.snapshot import Snapshot
from agreements.succession import ConflictingVersionsError
from gateway.errors import StatementRefusedError
from schemas.ids import JurisdictionCode, ParticipantId
from schemas.registry import Jurisdiction, ParticipantStatement, Registry, Role, StatementError, VerifiedStatement


class StagedRegistry:
    """The registry within one transaction: each statement is held against all before it, in the same order as later."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def add(self, statement: VerifiedStatement) -> None:
        """Take a statement. Raises ``StatementRefusedError``."""
        try:
            self.registry = self.registry.with_statement(statement)
        except StatementError as error:
            raise StatementRefusedError(error.reason) from error


class CurrentRegistry:
    """The jurisdictions, participants, keys and agreements that count now."""

    def __init__(self, registry: Registry, agreements: Iterable[VerifiedAgreement]) -> None:
        self._registry = registry
        self._agreements = tuple(agreements)
        self._snapshot = self._build()

    @property
    def registry(self) -> Registry:
        """The signed registry."""
        return self._registry

    @property
    def agreements(self) -> tuple[VerifiedAgreement, ...]:
        """Every agreement that all of its parties have signed, in force or not."""
        return self._agreements

    @property
    def snapshot(self) -> Snapshot:
        """What ``decide`` is asked with."""
        return self._snapshot

    @property
    def jurisdictions(self) -> dict[JurisdictionCode, Jurisdiction]:
        """The pinned jurisdictions by code."""
        return dict(self._registry.jurisdictions)

    def participant(self, participant: ParticipantId) -> ParticipantStatement | None:
        """Return the statement that stands for a participant; None for an unknown one."""
        known = self._registry.participants.get(participant)
        return None if known is None else known.statement

    def in_force(self, agreement: VerifiedAgreement, now: datetime) -> bool:
        """Say whether an agreement's version is the one that governs now, and is within its validity."""
        origin, destination = agreement.document.parties[:2]
        name = f"{agreement.document.id}/{agreement.document.version}"
        return name in self._snapshot.binding(origin, destination, now)

    def stage(self) -> StagedRegistry:
        """Return the registry as a transaction would leave it; nothing counts before ``count`` is given it."""
        return StagedRegistry(self._registry)

    def count(self, staged: StagedRegistry) -> None:
        """Let what was staged count, at once: its transaction stands. Only one may be open at a time."""
        self._registry = staged.registry
        self._snapshot = self._build()

    def agree(self, agreement: VerifiedAgreement) -> None:
        """Let an agreement count. Raises ``ConflictingVersionsError``, and nothing is changed."""
        before = self._agreements
        self._agreements = (*before, agreement)
        try:
            self._snapshot = self._build()
        except ConflictingVersionsError:
            self._agreements = before
            raise

    def _build(self) -> Snapshot:
        candidates = [
            (participant, known.statement.jurisdiction)
            for participant, known in self._registry.participants.items()
            if Role.RECEIVER in known.statement.roles
        ]
        return Snapshot.of(candidates, self._agreements)
