"""What a jurisdiction's authority signs of its own agencies: whose keys count, and which no longer do.

*participant* says of one agency which keys and roles it has, from-until; *key-revocation* takes one key away. Only an
authority key pinned for the participant's own jurisdiction can have made a statement about it. What all statements
together say is ``schemas.registry``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, model_validator

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError, first_fault
from schemas.fields import HostField, Name, Part, PublicKeyField, TypePattern, Window
from schemas.ids import (
    CertificateDigest,
    CertificateField,
    JurisdictionCode,
    JurisdictionField,
    KeyId,
    KeyIdField,
    ParticipantField,
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
_KID_OF_ANOTHER: Final = Bilingual(
    fr="Ce kid est celui d'une autorité, ou commence par le code d'une autre administration : choisissez-en un qui "
    "commence par celui du participant.",
    en="This kid is an authority's, or begins with another jurisdiction's code: choose one that begins with the "
    "participant's.",
)
