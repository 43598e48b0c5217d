"""The registry as this process sees it: verified documents in memory, replaced whole and at once.

A revocation counts from the moment its entry is committed: what was verified before and commits after is caught by the
acceptance's own check of its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agreements.signed import VerifiedAgreement
from agreements.snapshot import Snapshot
from agreements.book import ConflictingVersionsError
from gateway.errors import StatementRefusedError
from schemas.ids import AgreementId, JurisdictionCode, KeyId, ParticipantId
from schemas.registry import Jurisdiction, ParticipantStatement, Registry, Role, StatementError, VerifiedStatement


class StagedRegistry:
    """The registry within one transaction: each statement is held against all before it, in the same order as later."""

    def __init__(self, registry: Registry, version: int = 0) -> None:
        self.registry = registry
        self.version = version

    def add(self, statement: VerifiedStatement) -> None:
        """Take a statement. Raises ``StatementRefusedError``."""
        try:
            self.registry = self.registry.with_statement(statement)
        except StatementError as error:
            raise StatementRefusedError(error.reason) from error


class CurrentRegistry:
    """The jurisdictions, participants, keys and agreements that count now.

    ``version`` says how far it has come: one more than the log index of the last document in it.
    """

    def __init__(self, registry: Registry, agreements: Iterable[VerifiedAgreement], *, version: int = 0) -> None:
        self.version = version
        self._registry = registry
        self._staged: tuple[object, StagedRegistry] = (None, StagedRegistry(registry))
        self._agreements = tuple(agreements)
        self._beyond: set[AgreementId] = set()
        self._snapshot = self._build()
        self._lately: _Stretch | None = None

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
        """Every receiver ever registered, and every agreement, whatever the time."""
        return self._snapshot

    def snapshot_at(self, now: datetime) -> Snapshot:
        """Return what ``decide`` is asked with: the receivers are those whose own statement is valid at ``now``."""
        known = self._lately
        if known is None or known.whole is not self._snapshot or not known.start <= now < known.end:
            known = self._lately = self._stretch(now)
        return known.snapshot

    @property
    def jurisdictions(self) -> dict[JurisdictionCode, Jurisdiction]:
        """The pinned jurisdictions by code."""
        return dict(self._registry.jurisdictions)

    def participant(self, participant: ParticipantId) -> ParticipantStatement | None:
        """Return the statement that stands for a participant; None for an unknown one."""
        known = self._registry.participants.get(participant)
        return None if known is None else known.statement

    def owner(self, kid: KeyId) -> ParticipantId | None:
        """Return whose a key is or once was, trusted or not; None for one that nobody ever registered."""
        owner = self._registry.owners.get(kid)
        return None if owner is None else owner[0]

    @property
    def receivers(self) -> list[ParticipantStatement]:
        """The statements that stand for participants with the role of receiver, valid now or not."""
        return self._receivers()

    def in_force(self, agreement: VerifiedAgreement, now: datetime) -> bool:
        """Say whether an agreement's version is the one that governs now, and is within its validity."""
        origin, destination = agreement.document.parties[:2]
        name = f"{agreement.document.id}/{agreement.document.version}"
        return name in self._snapshot.binding(origin, destination, now)

    def stage(self, transaction: object) -> StagedRegistry:
        """Return the registry as a transaction would leave it; nothing counts before ``count`` is given it."""
        staged = StagedRegistry(self._registry, self.version)
        self._staged = transaction, staged
        return staged

    def within(self, transaction: object) -> Registry:
        """Return the registry as a transaction sees it: with what was staged in it so far."""
        of, staged = self._staged
        return staged.registry if of is transaction else self._registry

    def count(self, staged: StagedRegistry) -> None:
        """Let what was staged count, at once: its transaction stands. Only one may be open at a time."""
        self._registry = staged.registry
        self._snapshot = self._build()
        self.version = max(self.version, staged.version)

    def follow(
        self,
        version: int,
        statements: Iterable[VerifiedStatement],
        agreements: Iterable[VerifiedAgreement],
        *,
        beyond: Iterable[AgreementId] = (),
    ) -> None:
        """Take what other processes have logged since, in the order of the log; nothing where it is known already.

        ``beyond`` names agreements that have a version this process can't verify: none of their versions counts here
        any more, for it may be one that was replaced. Raises ``StatementError`` and ``ConflictingVersionsError`` where
        it does not go together, and nothing changes.
        """
        if version <= self.version:
            return
        registry, before = self._registry, (self._registry, self._agreements)
        for statement in statements:
            registry = registry.with_statement(statement)
        known = {agreement.signed.payload for agreement in self._agreements}
        fresh = [agreement for agreement in agreements if agreement.signed.payload not in known]
        self._beyond |= set(beyond)
        together = (*self._agreements, *fresh)
        self._registry = registry
        self._agreements = tuple(each for each in together if each.document.id not in self._beyond)
        try:
            self._snapshot = self._build()
        except ConflictingVersionsError:
            self._registry, self._agreements = before
            raise
        self.version = version

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
        return self._snapshot_of(self._receivers())

    def _stretch(self, now: datetime) -> _Stretch:
        receivers = self._receivers()
        turns = [turn for each in receivers for turn in (each.first, each.end)]
        valid = [each for each in receivers if each.first <= now < each.end]
        return _Stretch(
            start=max((turn for turn in turns if turn <= now), default=_EVER),
            end=min((turn for turn in turns if turn > now), default=_NEVER),
            whole=self._snapshot,
            snapshot=self._snapshot if len(valid) == len(receivers) else self._snapshot_of(valid),
        )

    def _receivers(self) -> list[ParticipantStatement]:
        known = [each.statement for each in self._registry.participants.values()]
        return [statement for statement in known if Role.RECEIVER in statement.roles]

    def _snapshot_of(self, receivers: Iterable[ParticipantStatement]) -> Snapshot:
        return Snapshot.of([(each.participant, each.jurisdiction) for each in receivers], self._agreements)


_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of time in which no receiver's statement begins or ends, and the snapshot that is good for it."""

    start: datetime
    end: datetime
    whole: Snapshot
    snapshot: Snapshot
