"""Who may speak: jurisdictions and their pinned authority keys, and what each authority says of its own agencies.

The registry is what all statements of authorities (``schemas.statements``) together say. It is a value: a new statement
makes a new registry.

* A participant's newer statement replaces its older one whole; an older or equally old one is never taken again.
* A ``kid`` names one key of one participant, for good; a revocation is for good too.
* A key is trusted from its ``from`` until, and not at, its ``until``; the same goes for the statement around it.
* A key of a replaced statement is trusted no more, from the moment that the newer one counts.
* What was signed in the past is judged by the statement that stood then. An older statement's window over a key ends
  where the newer one was signed (its ``iat``), to the instant, whether that holds the key too or drops it; what the
  newer one says of a key that was known before reaches back no further than that. So nobody lengthens, shortens or
  fills with hindsight a time in which a key was trusted; a revocation alone takes it away, and for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from schemas.bilingual import Bilingual
from schemas.ids import (
    AlertType,
    JurisdictionCode,
    KeyId,
    ParticipantId,
)
from schemas.signing.keys import PublicKey
from schemas.statements import (
    Jurisdiction,
    KeyRevocation,
    ParticipantStatement,
    RegisteredKey,
    StatementError,
    VerifiedStatement,
)
from schemas.timestamps import read_utc


def may_send(patterns: Sequence[str], alert_type: AlertType) -> bool:
    """Whether a statement's ``sends`` allow an alert type; an empty list allows none."""
    return any(
        alert_type.startswith(pattern.removesuffix("*")) if pattern.endswith("/*") else alert_type == pattern
        for pattern in patterns
    )


@dataclass(frozen=True, slots=True)
class CurrentParticipant:
    """The statement that stands for a participant, and when it was signed."""

    statement: ParticipantStatement
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that a participant's statement holds or held; its own from ``first`` until, and not at, ``end``.

    Where another statement had spoken of the key before, this one's word counts ``since`` its signature alone.
    """

    holder: ParticipantStatement
    key: PublicKey
    first: datetime
    end: datetime
    since: datetime | None = None

    @property
    def begin(self) -> datetime:
        """The first instant of the past of which this statement says whose the key was."""
        return self.first if self.since is None else max(self.first, self.since)


@dataclass(frozen=True, slots=True)
class Registry:
    """What all verified statements together say. Build it with ``of``.

    ``keys`` holds the current statements' keys by ``kid``; ``owners`` whose every key is, or ever was. ``superseded``
    holds the keys of replaced statements, each as long as it counted; nothing new is accepted by them.
    """

    jurisdictions: Mapping[JurisdictionCode, Jurisdiction]
    participants: Mapping[ParticipantId, CurrentParticipant]
    keys: Mapping[KeyId, HeldKey]
    owners: Mapping[KeyId, tuple[ParticipantId, PublicKey]]
    revoked: Mapping[KeyId, datetime]
    superseded: Mapping[KeyId, tuple[HeldKey, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(
        cls, jurisdictions: Mapping[JurisdictionCode, Jurisdiction], statements: Iterable[VerifiedStatement]
    ) -> Registry:
        """Return the registry of pinned jurisdictions after statements, in the order in which they were taken.

        Raises ``StatementError`` where one of them would not be taken.
        """
        registry = cls(
            jurisdictions=MappingProxyType(dict(jurisdictions)), participants={}, keys={}, owners={}, revoked={}
        )
        for statement in statements:
            registry = registry.with_statement(statement)
        return registry

    def with_statement(self, verified: VerifiedStatement) -> Registry:
        """Return the registry once a statement counts. Raises ``StatementError``; this one stays as it is."""
        match verified.statement:
            case ParticipantStatement() as statement:
                return self._with_participant(statement, verified.issued_at)
            case KeyRevocation() as revocation:
                return self._with_revocation(revocation)

    def trusted_key(self, kid: KeyId, now: datetime) -> tuple[ParticipantStatement, PublicKey] | None:
        """Return whose a key is and the key itself, where it is to be trusted at ``now``.

        None for a key that is unknown, not yet valid, expired or revoked: all alike.
        """
        held = self.keys.get(kid)
        if held is None or not held.first <= now < held.end:
            return None
        revoked = self.revoked.get(kid)
        if revoked is not None and now >= revoked:
            return None
        return held.holder, held.key

    def key_at(self, kid: KeyId, at: datetime) -> tuple[ParticipantStatement, PublicKey] | None:
        """Return whose a key was at an instant that may be long past, and the key: by the statement that counted then.

        None for one that is unknown or was not valid then, and for one that is revoked, whenever that was: who holds a
        key that its owner lost can date what he signs with it as he likes.
        """
        if kid in self.revoked:
            return None
        now = self.keys.get(kid)
        for held in (*(() if now is None else (now,)), *self.superseded.get(kid, ())):
            if held.begin <= at < held.end:
                return held.holder, held.key
        return None

    def superseded_of(self, participant: ParticipantId) -> tuple[HeldKey, ...]:
        """Return the keys of a participant's replaced statements, but for revoked ones, in the order of their names."""
        return tuple(
            held
            for kid in sorted(self.superseded.keys() - self.revoked.keys())
            for held in self.superseded[kid]
            if held.holder.participant == participant
        )

    def _with_participant(self, statement: ParticipantStatement, issued_at: datetime) -> Registry:
        current = self.participants.get(statement.participant)
        if current is not None and issued_at <= current.issued_at:
            raise StatementError(_NOT_NEWER)
        owned = {key.kid: (statement.participant, key.public) for key in statement.keys}
        if any(self.owners.get(kid, owner) != owner for kid, owner in owned.items()):
            raise StatementError(_KID_TAKEN)
        others = {kid: held for kid, held in self.keys.items() if held.holder.participant != statement.participant}
        return replace(
            self,
            participants=MappingProxyType(
                {**self.participants, statement.participant: CurrentParticipant(statement, issued_at)}
            ),
            keys=MappingProxyType(
                {**others, **{key.kid: self._held(key, statement, issued_at) for key in statement.keys}}
            ),
            owners=MappingProxyType({**self.owners, **owned}),
            superseded=self.superseded if current is None else self._superseded_by(statement, issued_at),
        )

    def _held(self, key: RegisteredKey, holder: ParticipantStatement, issued_at: datetime) -> HeldKey:
        known_before = key.kid in self.owners
        return HeldKey(
            holder,
            key.public,
            first=max(key.first, holder.first),
            end=min(key.end, holder.end),
            since=issued_at if known_before else None,
        )

    def _superseded_by(self, newer: ParticipantStatement, issued_at: datetime) -> Mapping[KeyId, tuple[HeldKey, ...]]:
        superseded = dict(self.superseded)
        for kid, held in self.keys.items():
            if held.holder.participant == newer.participant and held.begin < (end := min(held.end, issued_at)):
                superseded[kid] = (*superseded.get(kid, ()), replace(held, first=held.begin, end=end, since=None))
        return MappingProxyType(superseded)

    def _with_revocation(self, revocation: KeyRevocation) -> Registry:
        owner = self.owners.get(revocation.kid)
        if owner is None or owner[0] != revocation.participant:
            raise StatementError(_NO_SUCH_KEY)
        if revocation.kid in self.revoked:
            raise StatementError(_REVOKED_ALREADY)
        return replace(
            self, revoked=MappingProxyType({**self.revoked, revocation.kid: read_utc(revocation.revoked_at)})
        )


_NOT_NEWER: Final = Bilingual(
    fr="Une attestation aussi récente ou plus récente de ce participant est déjà inscrite.",
    en="A statement about this participant that is as new or newer is registered already.",
)
_KID_TAKEN: Final = Bilingual(
    fr="Ce kid appartient déjà à une autre clé : choisissez-en un nouveau.",
    en="This kid belongs to another key already: choose a new one.",
)
_NO_SUCH_KEY: Final = Bilingual(fr="Ce participant n'a pas de telle clé.", en="This participant has no such key.")
_REVOKED_ALREADY: Final = Bilingual(fr="Cette clé est déjà révoquée.", en="This key is revoked already.")
