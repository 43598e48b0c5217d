"""A recipient's copy of an alert, in both its forms, and reading one.

*Derived*: the exchange takes out of a plain submission what the recipient may not have and signs what is left together
with the manifest. *Presented*: of an SD-JWT the exchange drops disclosures, and the agency's own signature stays good;
the manifest goes beside it, signed by the exchange. Neither is handed out before it was searched once more as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import ValidationError

from schemas.bilingual import Bilingual
from schemas.decisions import Withholding
from schemas.ids import AlertId, AlertType
from schemas.pointers import Scalar, leaves
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import (
    REDACTED_ALERT,
    WITHHOLDING,
    MalformedJwsError,
    Unverified,
    sign_compact,
    verify,
)
from schemas.signing.keys import PublicKey, SigningKey
from schemas.signing.sd_jwt import NotSeparableError, SdJwt, assemble, beside_the_document, present, read_sd_jwt
from schemas.signing.strict_json import JsonError, JsonValue, parse_json
from schemas.withholding.deriving import derived
from schemas.withholding.manifest import Manifest, manifest_of
from schemas.withholding.plan import Plan, plan, traces
from schemas.withholding.pseudonyms import Pseudonyms
from schemas.withholding.search import tells_beside
from schemas.withholding.shapes import shape_of


class CopyForm(StrEnum):
    """The media type of a recipient's copy, which says what form it has."""

    ORIGINAL = "application/jose"
    """The submission as the agency signed it, whole."""
    DERIVED = "application/redacted-alert+jws"
    """What the exchange left of it, signed by the exchange, with the manifest inside."""
    PRESENTED = "application/alert+sd-jwt"
    """The agency's SD-JWT, with all its disclosures or fewer."""


def form_of(content_type: str) -> CopyForm:
    """Return the form of a copy by its media type, which has no parameters. Raises ``ValueError`` for any other."""
    return CopyForm(content_type.strip().lower())


class StillThereError(Exception):
    """A copy that should lack something shows it still: a fault of this package, and nothing may be sent."""

    def __init__(self) -> None:
        super().__init__("a value that is withheld stands in the copy")


class MalformedCopyError(MalformedJwsError):
    """A signed copy, or a manifest, is not what its ``typ`` says; ``reason`` says why and repeats nothing."""


@dataclass(frozen=True, slots=True)
class DerivedCopy:
    """What is left of an alert, and what is not."""

    alert: JsonValue
    manifest: Manifest

    def payload(self) -> bytes:
        """Return the canonical bytes that the exchange signs (RFC 8785)."""
        return canonical_bytes({"alert": self.alert, "manifest": self.manifest.plain()})


@dataclass(frozen=True, slots=True)
class PresentedCopy:
    """An SD-JWT with fewer disclosures, and what went."""

    sd_jwt: bytes
    manifest: Manifest


def derive(
    document: JsonValue,
    *,
    alert_type: AlertType,
    withholdings: Sequence[Withholding],
    alert_id: AlertId,
    original: bytes,
    pseudonyms: Pseudonyms,
) -> DerivedCopy | None:
    """Return what a recipient gets of an alert; None where it gets all of it, and then as it was submitted.

    ``document`` is the strictly parsed payload, ``original`` the submission's bytes. The same inputs give the same
    copy. Raises ``StillThereError``, and as ``plan.plan``.
    """
    planned = plan(document, alert_type=alert_type, withholdings=withholdings)
    if not planned.cuts:
        return None
    result = derived(document, planned.cuts, pseudonyms)
    _refuse_traces(result.left, alert_type, planned, made=result.made)
    return DerivedCopy(result.left, manifest_of(planned.cuts, result.gone, alert_id=alert_id, original=original))


def withhold_from(
    sd_jwt: SdJwt, *, alert_type: AlertType, withholdings: Sequence[Withholding], alert_id: AlertId, original: bytes
) -> PresentedCopy | None:
    """Return an SD-JWT without what a recipient may not have; None where it gets all of it.

    No pseudonym, year or region can stand under the agency's signature: what is to be one of them is left out, and the
    manifest says so. Raises ``NotSeparableError`` where something withheld is in no disclosure, or stands in a salt or
    a digest that stay, ``StillThereError``, and as ``plan.plan``.
    """
    planned = plan(sd_jwt.document, alert_type=alert_type, withholdings=withholdings)
    if not planned.cuts:
        return None
    shown = present(sd_jwt, planned.pointers)
    unverified = read_sd_jwt(shown)
    document, _, _ = assemble(unverified.jws.payload, unverified.disclosures)
    _refuse_traces(document, alert_type, planned)
    if tells_beside(beside_the_document(unverified), planned.tells):
        raise NotSeparableError(())
    gone = [cut.place for cut in planned.cuts]
    return PresentedCopy(shown, manifest_of(planned.cuts, gone, alert_id=alert_id, original=original, presented=shown))


def sign_derived(copy: DerivedCopy, *, key: SigningKey) -> bytes:
    """Return a derived copy as the exchange signs it: a compact JWS, ``typ: redacted-alert+jws``."""
    return sign_compact(copy.payload(), key=key, profile=REDACTED_ALERT)


def sign_manifest(manifest: Manifest, *, key: SigningKey) -> bytes:
    """Return the manifest of a presented copy as the exchange signs it, ``typ: withholding-manifest+jws``."""
    return sign_compact(canonical_bytes(manifest.plain()), key=key, profile=WITHHOLDING)


def verify_derived(unverified: Unverified, key: PublicKey | None) -> DerivedCopy:
    """Return a derived copy that ``key``, the exchange's, signed; it is read with the profile ``REDACTED_ALERT``.

    Raises ``SignatureNotTrustedError`` as ``jws.verify``, and as ``read_derived``.
    """
    return read_derived(verify(unverified, key))


def verify_manifest(unverified: Unverified, key: PublicKey | None) -> Manifest:
    """Return a manifest that ``key``, the exchange's, signed; raises as ``verify_derived``."""
    return read_manifest(verify(unverified, key))


def read_derived(payload: bytes) -> DerivedCopy:
    """Return what the payload of a derived copy says, for those to whom the exchange itself gave it.

    Raises ``MalformedCopyError`` for a payload that is not canonical, has other members than alert and manifest, or a
    manifest that is none.
    """
    match _canonical(payload):
        case {"alert": dict(alert), "manifest": manifest, **rest} if not rest:
            return DerivedCopy(alert, _manifest(manifest))
        case _:
            raise MalformedCopyError(_NOT_A_COPY)


def read_manifest(payload: bytes) -> Manifest:
    """Return what the payload of a manifest says; for whom, and what it raises, as ``read_derived``."""
    return _manifest(_canonical(payload))


def _refuse_traces(
    left: JsonValue, alert_type: AlertType, planned: Plan, *, made: frozenset[Scalar] = frozenset()
) -> None:
    """Search a copy as it is about to leave; pseudonyms, years and regions that were made for it are passed over."""
    passed = {place for place, value in leaves(left) if value in made and value is not None}
    if traces(left, shape_of(alert_type), planned.tells, passed):
        raise StillThereError


def _canonical(payload: bytes) -> JsonValue:
    try:
        value = parse_json(payload, max_depth=_MOST_DEPTH)
    except JsonError as error:
        raise MalformedCopyError(error.reason) from None
    if canonical_bytes(value) != payload:
        raise MalformedCopyError(_NOT_CANONICAL)
    return value


def _manifest(value: JsonValue) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(canonical_bytes(value))
    except ValidationError:
        raise MalformedCopyError(_NOT_A_COPY) from None
    if manifest.plain() != value:
        raise MalformedCopyError(_NOT_CANONICAL)
    return manifest


_MOST_DEPTH: Final = 33
"""An alert's depth and the object around it."""

_NOT_A_COPY: Final = Bilingual(
    fr="Le contenu n'est pas une copie d'alerte avec son manifeste.",
    en="The payload is not a copy of an alert with its manifest.",
)
_NOT_CANONICAL: Final = Bilingual(
    fr="Le contenu n'est pas dans sa forme canonique (RFC 8785).",
    en="The payload is not in its canonical form (RFC 8785).",
)
