"""The registry as this process sees it: verified documents in memory, replaced whole and at once.

A revocation counts from the moment its entry is committed: what was verified before and commits after is caught by the
acceptance's own check of its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from agreements import reasons
from agreements.book import Book
from agreements.life import State
from agreements.signed import VerifiedAgreement
from agreements.snapshot import Snapshot
from agreements.steps import VersionName
from gateway.errors import StatementRefusedError
from gateway.trust.assay import NOTHING_FOUND, Assayed
from schemas.decisions import ClauseRef, Reason
from schemas.ids import AgreementId, JurisdictionCode, KeyId, ParticipantId
from schemas.registry import Registry
from schemas.statements import Jurisdiction, ParticipantStatement, Role, StatementError, VerifiedStatement


class UnknownVersionError(LookupError):
    """A clause is of a version that this process has not verified, or not yet."""


class StagedRegistry:
    """The registry within one transaction: each document is held against all before it, in the same order as later.

    Writers of agreements put the ``book`` on, and say with ``version`` how far the registry has come.
    """

    def __init__(self, registry: Registry, book: Book, version: int = 0) -> None:
        self.registry = registry
        self.book = book
        self.version = version

    def add(self, statement: VerifiedStatement) -> None:
        """Take a statement. Raises ``StatementRefusedError``."""
        try:
            self.registry = self.registry.with_statement(statement)
        except StatementError as error:
            raise StatementRefusedError(error.reason) from error


class CurrentRegistry:
    """The jurisdictions, participants, keys and agreements that count now.

    ``version`` says how far it has come: one more than the log index of the last document in it. ``book`` holds every
    complete agreement that this process has verified; of those that are ``altered`` in the database, or have a version
    with a party that this process has not pinned, nothing counts.
    """

    def __init__(self, registry: Registry, found: Assayed = NOTHING_FOUND, *, version: int = 0) -> None:
        self.version = version
        self._registry = registry
        self._found = found
        self._staged: tuple[object, StagedRegistry] = (None, StagedRegistry(registry, found.book))
        self._builds = 0
        self.altered_proposals: frozenset[AgreementId] = frozenset()
        """The agreements of which what was proposed is not in the database as it was handed in; it binds nobody."""
        self._snapshot = self._build()
        self._lately: _Stretch | None = None

    @property
    def registry(self) -> Registry:
        """The signed registry."""
        return self._registry

    @property
    def agreements(self) -> tuple[VerifiedAgreement, ...]:
        """Every agreement that all of its parties have signed and that counts, in force or not."""
        return self.counting.agreements

    @property
    def book(self) -> Book:
        """Every complete agreement that this process has verified, and what was stated of it since."""
        return self._found.book

    @property
    def found(self) -> Assayed:
        """What was found in the database, as far as this process has come."""
        return self._found

    @property
    def altered(self) -> frozenset[AgreementId]:
        """The agreements that are not in the database as their parties signed them."""
        return self._found.alarmed | self._found.altered.keys()

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

    def state(self, version: VersionName, now: datetime) -> State:
        """Return what a complete version is at an instant. Raises ``KeyError`` for one that nobody knows."""
        return State.ALTERED if version[0] in self.altered else self._snapshot.state(version, now)

    def lapse(self, under: ClauseRef, sender: ParticipantId, recipient: ParticipantId, now: datetime) -> Reason | None:
        """Return why nothing may pass under a clause any more from one participant to another, or nothing.

        Raises ``UnknownVersionError`` where the clause's version is none that this process has verified.
        """
        if under.agreement in self.altered:
            return reasons.altered(under.agreement)
        if not self._snapshot.knows(under):
            raise UnknownVersionError
        return self._snapshot.lapse(under, sender, recipient, now)

    def stretch(self, now: datetime) -> object:
        """Return what changes whenever an agreement may have lapsed: by time, or by somebody's word."""
        return self._builds, self._snapshot.stretch(now)

    def stage(self, transaction: object) -> StagedRegistry:
        """Return the registry as a transaction would leave it; nothing counts before ``count`` is given it.

        All who write within one transaction share it.
        """
        of, staged = self._staged
        if of is not transaction:
            staged = StagedRegistry(self._registry, self._found.book, self.version)
            self._staged = transaction, staged
        return staged

    def within(self, transaction: object) -> Registry:
        """Return the registry as a transaction sees it: with what was staged in it so far."""
        of, staged = self._staged
        return staged.registry if of is transaction else self._registry

    def count(self, staged: StagedRegistry) -> None:
        """Let what was staged count, at once: its transaction stands. Only one may be open at a time."""
        self._registry = staged.registry
        self._found = replace(self._found, book=staged.book)
        self._snapshot = self._build()
        self.version = max(self.version, staged.version)

    def follow(self, version: int, statements: Iterable[VerifiedStatement], found: Assayed) -> None:
        """Take what other processes have logged since, in the order of the log; nothing where it is known already.

        Raises ``StatementError`` where it does not go together, and nothing changes.
        """
        if version <= self.version:
            return
        registry = self._registry
        for statement in statements:
            registry = registry.with_statement(statement)
        self._registry = registry
        self.version = version
        self.hold(found)

    def hold(self, found: Assayed) -> None:
        """Let agreements count as they were found in the database; who was altered counts for nothing."""
        self._found = found
        self._snapshot = self._build()

    @property
    def counting(self) -> Book:
        """Every complete agreement that counts, and what was stated of it: without those that were altered."""
        return self._found.book.without(self.altered | self._found.beyond)

    def _build(self) -> Snapshot:
        self._builds += 1
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
        return Snapshot.under([(each.participant, each.jurisdiction) for each in receivers], self.counting)


_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A stretch of time in which no receiver's statement begins or ends, and the snapshot that is good for it."""

    start: datetime
    end: datetime
    whole: Snapshot
    snapshot: Snapshot
