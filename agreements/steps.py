"""What a party's authority states about an agreement once every party has signed it, each a signed word of its own.

A step is a compact JWS of ``typ`` ``agreement-step+jws``. It names the agreement, the version, and the SHA-256 of the
document's bytes, so that nobody can take a word about one document for a word about another; ``at`` is when its
authority made it, in the second that the header's ``iat`` names too. A step is known by the SHA-256 of its payload, not
by its signature, which may have a twin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints, ValidationError

from agreements.document import Text
from schemas.bilingual import Bilingual
from schemas.faults import first_fault
from schemas.fields import Part
from schemas.ids import AgreementField, AgreementId, JurisdictionCode, JurisdictionField, KeyId
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import (
    AGREEMENT_STEP,
    MalformedJwsError,
    SignatureNotTrustedError,
    Unverified,
    read_compact,
    sign_compact,
    verify,
)
from schemas.signing.keys import PublicKey, SigningKey
from schemas.signing.strict_json import JsonError, parse_json
from schemas.statements import Jurisdiction
from schemas.timestamps import UtcText, read_utc

VersionName = tuple[AgreementId, int]
"""One version of one agreement."""


class UnsoundStepError(Exception):
    """The bytes are no party's step; ``reason`` says why."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class StepKind(StrEnum):
    """What a party states."""

    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    WITHDRAWAL = "withdrawal"
    ACCESSION = "accession"


class Step(Part):
    """One party's statement about one version, as its authority signs it."""

    agreement: AgreementField
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    digest: Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
    step: Annotated[StepKind, Field(strict=False)]
    party: JurisdictionField
    at: UtcText
    reason: Text | None = None

    @property
    def about(self) -> VersionName:
        """The version that the statement names."""
        return self.agreement, self.version

    @property
    def made_at(self) -> datetime:
        """When the authority made it."""
        return read_utc(self.at)


@dataclass(frozen=True, slots=True)
class VerifiedStep:
    """A step that its party's own authority signed. ``digest`` is the SHA-256 of its payload."""

    step: Step
    kid: KeyId
    digest: bytes
    compact: bytes


@dataclass(frozen=True, slots=True)
class LoggedStep:
    """A step with the instant of its log entry, from which it counts (UTC)."""

    verified: VerifiedStep
    at: datetime

    @property
    def step(self) -> Step:
        """What was stated."""
        return self.verified.step


def document_digest(payload: bytes) -> str:
    """Return how a step and the log name a document's bytes."""
    return f"sha-256:{hashlib.sha256(payload).hexdigest()}"


def step_bytes(step: Step) -> bytes:
    """Return the bytes that an authority signs: RFC 8785, what is absent left out."""
    return canonical_bytes(step.model_dump(mode="json", exclude_none=True))


def sign_step(step: Step, key: SigningKey) -> bytes:
    """Return a step signed by an authority's key."""
    return sign_compact(step_bytes(step), key=key, profile=AGREEMENT_STEP, iat=int(step.made_at.timestamp()))


def authorities(
    jurisdictions: Mapping[JurisdictionCode, Jurisdiction],
) -> dict[KeyId, tuple[JurisdictionCode, PublicKey]]:
    """Return every pinned authority key by its name, and whose it is."""
    return {key.kid: (code, key) for code, each in jurisdictions.items() for key in each.authority_keys}


def read_step(compact: bytes, jurisdictions: Mapping[JurisdictionCode, Jurisdiction]) -> VerifiedStep:
    """Return a step whose signature is that of an authority key pinned for its own party.

    Raises ``UnsoundStepError``.
    """
    try:
        unverified = read_compact(compact, AGREEMENT_STEP)
        signer, key = authorities(jurisdictions).get(unverified.kid, (None, None))
        verify(unverified, key)
    except MalformedJwsError as error:
        raise UnsoundStepError(error.reason) from None
    except SignatureNotTrustedError:
        raise UnsoundStepError(_UNTRUSTED) from None
    return step_in(unverified, signer)


def step_in(verified: Unverified, signer: JurisdictionCode | None) -> VerifiedStep:
    """Return the step in a JWS whose signature the caller has found to be of ``signer``'s authority.

    Raises ``UnsoundStepError``.
    """
    try:
        step = Step.model_validate(parse_json(verified.payload))
    except JsonError as error:
        raise UnsoundStepError(error.reason) from None
    except ValidationError as error:
        raise UnsoundStepError(first_fault(error)) from None
    if step.party != signer:
        raise UnsoundStepError(_FOREIGN)
    if int(step.made_at.timestamp()) != verified.iat:
        raise UnsoundStepError(_TWO_TIMES)
    digest = hashlib.sha256(verified.payload).digest()
    return VerifiedStep(step=step, kid=verified.kid, digest=digest, compact=verified.compact)


_UNTRUSTED: Final = Bilingual(
    fr="Aucune clé d'autorité épinglée n'a signé cette déclaration.",
    en="No pinned authority key signed this statement.",
)
_FOREIGN: Final = Bilingual(
    fr="Une autorité ne parle que pour sa propre juridiction.", en="An authority speaks for its own jurisdiction only."
)
_TWO_TIMES: Final = Bilingual(
    fr="Les membres at et iat doivent désigner la même seconde.", en="The members at and iat must name the same second."
)
