"""The signatures that make a document an agreement.

A signed agreement is one file, the JWS General JSON Serialization (RFC 7515 section 7.2.1): one payload, the RFC 8785
bytes of the document, and one protected signature for each party that has signed. One verdict covers all of it: a
single signature that does not verify, a signer that is not a party, a payload that is not the canonical bytes of the
document it says, and the whole file is refused.

Keys are those that the exchange pinned for each jurisdiction when it was set up. Nothing here reads a clock: when a
document is in force is ``agreements.snapshot``'s, and only a document that every party signed gets there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from agreements.document import Agreement
from schemas.bilingual import Bilingual
from schemas.faults import first_fault
from schemas.ids import JurisdictionCode, KeyId
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import MalformedJwsError, SignatureNotTrustedError, Unverified, split_signatures, verify
from schemas.signing.keys import PublicKey
from schemas.statements import Jurisdiction


class UntrustedAgreementError(Exception):
    """The file is not an agreement that its signatures vouch for; ``reason`` says why."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PartySignature:
    """One party's signature, verified: which authority key made it, when it says so (UTC), and its compact JWS."""

    party: JurisdictionCode
    kid: KeyId
    signed_at: datetime
    compact: bytes


@dataclass(frozen=True, slots=True)
class SignedAgreement:
    """A document with the parties' signatures that it has so far, all of them verified, in the parties' order."""

    document: Agreement
    payload: bytes
    signatures: tuple[PartySignature, ...]

    @property
    def missing(self) -> tuple[JurisdictionCode, ...]:
        """The parties that have yet to sign; the document binds nobody before there are none."""
        signed = {signature.party for signature in self.signatures}
        return tuple(party for party in self.document.parties if party not in signed)


@dataclass(frozen=True, slots=True)
class VerifiedAgreement:
    """A document that every party signed: the only kind that a decision may rest on. Raises ``ValueError`` else."""

    signed: SignedAgreement

    def __post_init__(self) -> None:
        """Refuse a document that a party has yet to sign."""
        if self.signed.missing:
            raise ValueError("a party has not signed this agreement")

    @property
    def document(self) -> Agreement:
        """What the parties agreed."""
        return self.signed.document


def agreement_bytes(document: Agreement) -> bytes:
    """Return the bytes that a party signs: the document's RFC 8785 JSON, what is absent left out."""
    return canonical_bytes(document.model_dump(mode="json", by_alias=True, exclude_defaults=True))


def read_signed(general: bytes, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]) -> SignedAgreement:
    """Return a signed agreement file's document, and who has signed it, all signatures verified.

    ``jurisdictions`` are those pinned by the exchange, with their authority keys. Raises ``UntrustedAgreementError``.
    """
    unverified = _split(general)
    keys = {key.kid: (code, key) for code, jurisdiction in jurisdictions.items() for key in jurisdiction.authority_keys}
    signatures = [_verified(one, *keys.get(one.kid, (None, None))) for one in unverified]
    payload = unverified[0].payload
    document = _read_payload(payload)
    by_party = {signature.party: signature for signature in signatures}
    if not by_party.keys() <= set(document.parties):
        raise UntrustedAgreementError(_NOT_A_PARTY)
    if len(by_party) < len(signatures):
        raise UntrustedAgreementError(_SIGNED_TWICE)
    in_order = tuple(by_party[party] for party in document.parties if party in by_party)
    return SignedAgreement(document=document, payload=payload, signatures=in_order)


def claimed(general: bytes) -> Agreement:
    """Return the document that a signed agreement file claims, which no signature vouches for yet.

    Good for nothing but to see whom it concerns. Raises ``UntrustedAgreementError`` where it is no such file.
    """
    return _read_payload(_split(general)[0].payload)


def _split(general: bytes) -> tuple[Unverified, ...]:
    try:
        return split_signatures(general)
    except MalformedJwsError as error:
        raise UntrustedAgreementError(error.reason) from None


def _verified(unverified: Unverified, party: JurisdictionCode | None, key: PublicKey | None) -> PartySignature:
    try:
        verify(unverified, key)
    except SignatureNotTrustedError:
        raise UntrustedAgreementError(_NOT_TRUSTED) from None
    if party is None or unverified.iat is None:
        raise UntrustedAgreementError(_NOT_TRUSTED)
    signed_at = datetime.fromtimestamp(unverified.iat, UTC)
    return PartySignature(party=party, kid=unverified.kid, signed_at=signed_at, compact=unverified.compact)


def _read_payload(payload: bytes) -> Agreement:
    try:
        document = Agreement.model_validate_json(payload)
    except ValidationError as error:
        raise UntrustedAgreementError(first_fault(error)) from None
    # This also refuses what a lenient reader lets pass: equal names, other escapes, white space, members left empty.
    if agreement_bytes(document) != payload:
        raise UntrustedAgreementError(_NOT_CANONICAL)
    return document


_NOT_TRUSTED: Final = Bilingual(
    fr="Une des signatures n'est pas celle d'une clé d'autorité connue de cette plateforme.",
    en="One of the signatures is not that of an authority key this exchange knows.",
)
_NOT_A_PARTY: Final = Bilingual(
    fr="Une des signatures est celle d'une juridiction qui n'est pas partie à l'entente.",
    en="One of the signatures is that of a jurisdiction that is not a party to the agreement.",
)
_SIGNED_TWICE: Final = Bilingual(
    fr="Une partie a signé deux fois; chacune signe une fois.", en="A party signed twice; each signs once."
)
_NOT_CANONICAL: Final = Bilingual(
    fr="Les octets signés ne sont pas la forme canonique (RFC 8785) de l'entente qu'ils énoncent.",
    en="The signed bytes are not the canonical form (RFC 8785) of the agreement that they state.",
)
