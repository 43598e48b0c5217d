"""Who may speak: jurisdictions and their pinned authority keys, and what each authority says of its own agencies.

A jurisdiction's authority signs statements: *participant* (this agency, these keys, these roles, from-until) and
*key-revocation*. The registry is what all of them together say. It is a value: a new statement makes a new registry.

* Only an authority key pinned for the participant's own jurisdiction can have made a statement about it.
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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError, first_fault
from schemas.fields import HostField, Name, Part, PublicKeyField, TypePattern, Window
from schemas.ids import (
    AlertType,
    CertificateDigest,
    CertificateField,
    JurisdictionCode,
    JurisdictionField,
    KeyId,
    KeyIdField,
    ParticipantField,
    ParticipantId,
    home_of,
)
from schemas.signing.jws import (
    STATEMENT,
    MalformedJwsError,
    SignatureNotTrustedError,
    Unverified,
    read_compact,
    verify,
)
from schemas.signing.keys import PublicKey
from schemas.signing.strict_json import JsonError, JsonValue, parse_json
from schemas.timestamps import UtcText, read_utc


class StatementError(Exception):
    """A statement does not count, or contradicts one that does; ``reason`` says why."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class Role(StrEnum):
    """What a participant may do in the exchange."""

    SENDER = "sender"
    RECEIVER = "receiver"
    AUDITOR = "auditor"


_ValueT = TypeVar("_ValueT")


def _each_once(values: tuple[_ValueT, ...]) -> tuple[_ValueT, ...]:
    if len(set(values)) != len(values):
        raise BrokenRuleError(Bilingual(fr="La même valeur figure deux fois.", en="The same value occurs twice."))
    return values


class Jurisdiction(Part):
    """A jurisdiction as it is pinned when an exchange is set up."""

    code: JurisdictionField
    name: Name
    parent: JurisdictionField | None = None
    authority_keys: Annotated[tuple[PublicKeyField, ...], Field(strict=False, min_length=1, max_length=8)]


class RegisteredKey(Window):
    """A participant's key, and when it may be used."""

    public: Annotated[PublicKeyField, Field(alias="jwk")]

    @property
    def kid(self) -> KeyId:
        """The key's name."""
        return self.public.kid


class ParticipantStatement(Window):
    """An authority's word that an agency takes part: with which keys, in which roles, sending what, reached where.

    Empty ``sends`` or ``hosts`` mean none. A partner's endpoint is used only on one of ``hosts``, to the letter. Where
    there are ``certificates``, what the participant signs counts only on a connection that showed one of them.
    """

    statement: Literal["participant"]
    participant: ParticipantField
    jurisdiction: JurisdictionField
    name: Name
    roles: Annotated[
        tuple[Annotated[Role, Field(strict=False)], ...], Field(strict=False, min_length=1), AfterValidator(_each_once)
    ]
    sends: Annotated[tuple[TypePattern, ...], Field(strict=False, max_length=200)]
    keys: Annotated[tuple[RegisteredKey, ...], Field(strict=False, max_length=16)]
    hosts: Annotated[tuple[HostField, ...], Field(strict=False, max_length=32)]
    certificates: Annotated[
        tuple[CertificateField, ...],
        Field(strict=False, max_length=16, exclude_if=lambda listed: not listed),  # as statements were before it
        AfterValidator(_each_once),
    ] = ()

    def speaks_over(self, certificate: CertificateDigest | None) -> bool:
        """Say whether the participant may speak on a connection that showed this client certificate, or none."""
        return not self.certificates or certificate in self.certificates

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if home_of(self.participant) != self.jurisdiction:
            raise BrokenRuleError(
                Bilingual(
                    fr="L'identifiant du participant doit commencer par le code de sa juridiction.",
                    en="The participant's identifier must begin with its jurisdiction's code.",
                )
            )
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise BrokenRuleError(Bilingual(fr="Deux clés portent le même kid.", en="Two keys have the same kid."))
        return self


class KeyRevocation(Part):
    """An authority's word that a key is no longer its participant's, for good, as of ``revoked_at``."""

    statement: Literal["key-revocation"]
    participant: ParticipantField
    kid: KeyIdField
    revoked_at: UtcText
    reason: Name


@dataclass(frozen=True, slots=True)
class VerifiedStatement:
    """A statement that the participant's own authority signed; ``issued_at`` is its ``iat``, to the second, UTC."""

    compact: bytes
    issued_at: datetime
    authority_kid: KeyId
    statement: ParticipantStatement | KeyRevocation


@dataclass(frozen=True, slots=True)
class ClaimedStatement:
    """A statement as it arrived, of which nothing but its form was looked at.

    ``key`` is the pinned authority key that it names, ``signer`` that key's jurisdiction; None where none is pinned.
    """

    unverified: Unverified
    signer: JurisdictionCode | None
    key: PublicKey | None


def claimed_statement(compact: bytes, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]) -> ClaimedStatement:
    """Return a statement and the authority key that it names; for those who have the signature checked elsewhere.

    Raises ``StatementError`` for what is no JWS of a statement's profile.
    """
    try:
        unverified = read_compact(compact, STATEMENT)
    except MalformedJwsError as error:
        raise StatementError(error.reason) from None
    signer, key = _authorities(jurisdictions).get(unverified.kid, (None, None))
    return ClaimedStatement(unverified, signer, key)


def signed_statement(
    claimed: ClaimedStatement, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]
) -> VerifiedStatement:
    """Return what a statement says, now that its key has been found to have signed it. Raises ``StatementError``."""
    unverified = claimed.unverified
    try:
        statement = _statement(parse_json(unverified.payload))
    except JsonError as error:
        raise StatementError(error.reason) from None
    if home_of(statement.participant) != claimed.signer:
        raise StatementError(_FOREIGN)
    if isinstance(statement, ParticipantStatement):
        others = jurisdictions.keys() - {claimed.signer}
        _refuse_foreign_kids(statement, taken=_authorities(jurisdictions), others=others)
    issued_at = unverified.issued_at
    if isinstance(statement, KeyRevocation) and read_utc(statement.revoked_at).replace(microsecond=0) > issued_at:
        raise StatementError(_REVOKED_LATER)
    return VerifiedStatement(unverified.compact, issued_at, unverified.kid, statement)


def read_statement(compact: bytes, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]) -> VerifiedStatement:
    """Return a statement whose signature is that of an authority key pinned for the participant's own jurisdiction.

    Raises ``StatementError``.
    """
    claimed = claimed_statement(compact, jurisdictions)
    try:
        verify(claimed.unverified, claimed.key)
    except SignatureNotTrustedError:
        raise StatementError(UNTRUSTED) from None
    return signed_statement(claimed, jurisdictions)


def _authorities(
    jurisdictions: Mapping[JurisdictionCode, Jurisdiction],
) -> dict[KeyId, tuple[JurisdictionCode, PublicKey]]:
    return {key.kid: (home.code, key) for home in jurisdictions.values() for key in home.authority_keys}


def _refuse_foreign_kids(
    statement: ParticipantStatement, *, taken: Collection[KeyId], others: Iterable[JurisdictionCode]
) -> None:
    """Refuse a key whose ``kid`` is ``taken``, or begins as the participants of ``others`` do.

    A ``kid`` is one key's for good: whoever took another's name first would keep it from its next key.
    """
    prefixes = tuple(f"{code.lower()}." for code in others)
    for key in statement.keys:
        if key.kid in taken or key.kid.lower().startswith(prefixes):
            raise StatementError(_KID_OF_ANOTHER)


def _statement(document: JsonValue) -> ParticipantStatement | KeyRevocation:
    try:
        match document:
            case {"statement": "participant"}:
                return ParticipantStatement.model_validate(document)
            case {"statement": "key-revocation"}:
                return KeyRevocation.model_validate(document)
            case _:
                raise StatementError(_UNKNOWN_KIND)
    except ValidationError as error:
        raise StatementError(first_fault(error)) from None


_UNKNOWN_KIND: Final = Bilingual(
    fr="Le membre statement doit valoir participant ou key-revocation.",
    en="The member statement must be participant or key-revocation.",
)
UNTRUSTED: Final = Bilingual(
    fr="Aucune clé d'autorité épinglée n'a signé cette attestation.",
    en="No pinned authority key signed this statement.",
)
"""Why a statement does not count whose signature is nobody's that matters."""
_FOREIGN: Final = Bilingual(
    fr="Une autorité n'atteste que des participants de sa propre juridiction.",
    en="An authority speaks for participants of its own jurisdiction only.",
)
_REVOKED_LATER: Final = Bilingual(
    fr="Une révocation vaut aussitôt : revoked_at ne peut suivre la signature. Pour une fin future, utilisez until.",
    en="A revocation counts at once: revoked_at can't come after the signature. For a later end, use until.",
)
_NOT_NEWER: Final = Bilingual(
    fr="Une attestation aussi récente ou plus récente de ce participant est déjà inscrite.",
    en="A statement about this participant that is as new or newer is registered already.",
)
_KID_OF_ANOTHER: Final = Bilingual(
    fr="Ce kid est celui d'une autorité, ou commence par le code d'une autre administration : choisissez-en un qui "
    "commence par celui du participant.",
    en="This kid is an authority's, or begins with another jurisdiction's code: choose one that begins with the "
    "participant's.",
)
_KID_TAKEN: Final = Bilingual(
    fr="Ce kid appartient déjà à une autre clé : choisissez-en un nouveau.",
    en="This kid belongs to another key already: choose a new one.",
)
_NO_SUCH_KEY: Final = Bilingual(fr="Ce participant n'a pas de telle clé.", en="This participant has no such key.")
_REVOKED_ALREADY: Final = Bilingual(fr="Cette clé est déjà révoquée.", en="This key is revoked already.")


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
