"""JSON Web Signatures as this exchange takes them (RFC 7515, narrowed by RFC 8725 and WIRE "Signatures").

A compact serialisation whose protected header has exactly its profile's members: so no ``crit``, ``b64``, ``zip``,
``jku``, ``jwk``, ``x5u``, ``x5c`` and no member unknown here ever means anything. The header names a key and no more;
the algorithm is the registered key's. One spelling each: canonical base64url, no second header, no JSON serialisation.

Reading is not trusting: ``read_compact`` returns what is ``Unverified``, and ``verify`` alone gives out the payload as
somebody's word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeGuard

import orjson

from schemas.bilingual import Bilingual
from schemas.ids import KEY_ID_PATTERN, KeyId
from schemas.signing import base64url
from schemas.signing.algorithms import SIGNATURE_BYTES, Algorithm
from schemas.signing.canonical import canonical_bytes
from schemas.signing.keys import PublicKey, SigningKey
from schemas.signing.strict_json import JsonError, JsonValue, parse_json


class MalformedJwsError(Exception):
    """The bytes are not a JWS of the profile; ``reason`` says why without repeating any of them."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class SignatureNotTrustedError(Exception):
    """No key that is trusted made this signature. Why is not told: an unknown key and a wrong one look alike."""


@dataclass(frozen=True, slots=True)
class JwsProfile:
    """What one kind of JWS looks like: its ``typ`` (the first is written), its header members, its payload's limit.

    ``max_payload`` is in bytes, before base64url.
    """

    typ: tuple[str, ...]
    members: frozenset[str]
    optional: frozenset[str] = frozenset()
    max_payload: int = 65_536


_BASE: Final = frozenset({"alg", "kid", "typ"})
_DATED: Final = _BASE | {"iat"}

ALERT: Final = JwsProfile(("alert+jws",), _DATED, max_payload=67_108_864)  # an exchange sets its own, lower limit
ALERT_SD_JWT: Final = JwsProfile(("alert+sd-jwt",), _DATED, max_payload=ALERT.max_payload)
"""The signed part of an alert whose members can be left out one by one; see ``schemas.signing.sd_jwt``."""
REDACTED_ALERT: Final = JwsProfile(("redacted-alert+jws",), _BASE, max_payload=2 * ALERT.max_payload)
"""The copy of an alert that the exchange derived for one recipient; see ``schemas.withholding``."""
WITHHOLDING: Final = JwsProfile(("withholding-manifest+jws",), _BASE, max_payload=1_048_576)
"""What the exchange left out of an SD-JWT for one recipient."""
RECEIPT: Final = JwsProfile(("receipt+jws",), _BASE)
EXPORT_MANIFEST: Final = JwsProfile(("export-manifest+jws",), _BASE)
"""What the exchange says of an export of its log; see ``schemas.exports``."""
EVIDENCE: Final = JwsProfile(("evidence-manifest+jws",), _BASE)
"""What the exchange signs of an evidence bundle: the digest of every member."""
ACKNOWLEDGEMENT: Final = JwsProfile(("acknowledgement+jws",), _DATED)
CONSENT: Final = JwsProfile(("consent+jws",), _DATED, max_payload=4_096)
RECONCILIATION: Final = JwsProfile(("reconciliation+jws",), _BASE)
"""What the exchange says that it handed over; see ``schemas.reconciliation``."""
RECONCILIATION_STATEMENT: Final = JwsProfile(("reconciliation-statement+jws",), _DATED)
"""What a partner says that it received."""
STATEMENT: Final = JwsProfile(("authority-statement+jws",), _DATED)
AGREEMENT: Final = JwsProfile(("agreement+jws",), _DATED, max_payload=1_048_576)
AGREEMENT_STEP: Final = JwsProfile(("agreement-step+jws",), _DATED, max_payload=16_384)
LEGAL_HOLD: Final = JwsProfile(("legal-hold+jws",), _DATED, max_payload=4_096)
"""That content is held, or no longer held."""
ERASURE_ORDER: Final = JwsProfile(("erasure-order+jws",), _DATED, max_payload=4_096)
ASSERTION: Final = JwsProfile(
    ("client-authentication+jwt", "JWT"), frozenset({"alg", "kid"}), frozenset({"typ"}), max_payload=4_096
)
"""A client's assertion (RFC 7523 section 2.2); its ``typ`` as in RFC 7519 section 5.1 or explicit (RFC 8725 3.11)."""
ACCESS_TOKEN: Final = JwsProfile(("at+jwt",), _BASE, max_payload=4_096)
"""An access token (RFC 9068 section 2.1)."""


@dataclass(frozen=True, slots=True)
class Unverified:
    """A well-formed JWS that nobody has vouched for yet. ``iat`` is in seconds since 1970."""

    compact: bytes
    kid: KeyId
    alg: Algorithm
    iat: int | None
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def issued_at(self) -> datetime:
        """The instant of ``iat``, UTC. Raises ``ValueError`` where the profile has none."""
        if self.iat is None:
            raise ValueError("this profile has no iat")
        return datetime.fromtimestamp(self.iat, UTC)


def read_compact(compact: bytes, profile: JwsProfile) -> Unverified:
    """Return the parts of a compact JWS (RFC 7515 section 7.1), none of them verified.

    Raises ``MalformedJwsError`` for everything that the profile does not allow; each segment is measured before it is
    decoded.
    """
    segments = compact.split(b".", 3)
    if len(segments) != 3:  # noqa: PLR2004 - header, payload, signature
        raise MalformedJwsError(_NOT_COMPACT)
    protected, payload, signature = segments
    kid, alg, iat = _header(protected, profile)
    return Unverified(
        compact=compact,
        kid=kid,
        alg=alg,
        iat=iat,
        payload=_decoded(payload, profile.max_payload),
        signing_input=compact[: len(protected) + 1 + len(payload)],
        signature=_decoded(signature, _MAX_SIGNATURE),
    )


def verify(unverified: Unverified, key: PublicKey | None) -> bytes:
    """Return the payload, now that ``key`` has been found to have signed it.

    ``key`` is what the caller's registry trusts under the header's ``kid``, ``None`` where it trusts none. Raises
    ``SignatureNotTrustedError`` for that, for another algorithm than the key's, and for a wrong signature alike.
    """
    if not fits(key, unverified) or not key.verify(unverified.signing_input, unverified.signature):
        raise SignatureNotTrustedError
    return unverified.payload


def fits(key: PublicKey | None, unverified: Unverified) -> TypeGuard[PublicKey]:
    """Say whether there is a key and it is the one that a JWS names; nothing is verified by that.

    For those who have the signature checked elsewhere.
    """
    return (
        key is not None
        and key.kid == unverified.kid
        and key.alg == unverified.alg
        and len(unverified.signature) == SIGNATURE_BYTES
    )


def sign_compact(payload: bytes, *, key: SigningKey, profile: JwsProfile, iat: int | None = None) -> bytes:
    """Return ``payload`` signed, as a compact JWS of the profile.

    ``iat`` is in seconds since 1970, and given exactly where the profile has it. Raises ``ValueError`` where it is
    not, and for a payload that the profile's readers would refuse.
    """
    to_sign = signing_input(payload, key=key.public, profile=profile, iat=iat)
    return with_signature(to_sign, key.sign(to_sign))


def signing_input(payload: bytes, *, key: PublicKey, profile: JwsProfile, iat: int | None = None) -> bytes:
    """Return the bytes that are to be signed for a compact JWS (RFC 7515 section 5.1). Raises as ``sign_compact``."""
    if (iat is None) == ("iat" in profile.members) or len(payload) > profile.max_payload:
        raise ValueError("this profile does not allow this iat, or this much payload")
    return _protected(key.alg, key.kid, profile.typ[0], iat) + b"." + base64url.encode(payload)


def with_signature(signed: bytes, signature: bytes) -> bytes:
    """Return the compact JWS of a signing input and the signature over it."""
    return signed + b"." + base64url.encode(signature)


def join_signatures(compacts: Sequence[bytes]) -> bytes:
    """Return signatures over the same agreement as one file, in General JSON Serialization (RFC 7515 section 7.2.1).

    The bytes are canonical JSON; the signatures keep their order. Raises ``MalformedJwsError`` where one is no
    agreement signature, where two cover different payloads, or where one key signed twice.
    """
    read = tuple(read_compact(compact, AGREEMENT) for compact in compacts)
    _refuse_disagreement(read)
    segments = [one.compact.decode().split(".") for one in read]
    signatures: list[JsonValue] = [{"protected": protected, "signature": value} for protected, _, value in segments]
    return canonical_bytes({"payload": segments[0][1], "signatures": signatures})


def split_signatures(general: bytes) -> tuple[Unverified, ...]:
    """Return each signature of a signed agreement file as the compact JWS it stands for, none of them verified.

    All cover the same bytes: the file has one payload. Raises ``MalformedJwsError`` as ``join_signatures``, and for
    an unprotected header or any other member that RFC 7515 section 7.2.1 would allow.
    """
    if len(general) > _MAX_GENERAL:
        raise MalformedJwsError(_TOO_LONG)
    try:
        document = parse_json(general)
    except JsonError as error:
        raise MalformedJwsError(error.reason) from None
    match document:
        case {"payload": str(payload), "signatures": list(signatures), **rest} if not rest:
            compacts = tuple(_compact_of(one, payload) for one in signatures[: _MAX_SIGNATURES + 1])
        case _:
            raise MalformedJwsError(_NOT_GENERAL)
    read = tuple(read_compact(compact, AGREEMENT) for compact in compacts)
    _refuse_disagreement(read)
    return read


def _compact_of(signature: JsonValue, payload: str) -> bytes:
    match signature:
        case {"protected": str(protected), "signature": str(value), **rest} if not rest:
            return f"{protected}.{payload}.{value}".encode()
        case _:
            raise MalformedJwsError(_NOT_GENERAL)


def _refuse_disagreement(read: Sequence[Unverified]) -> None:
    if not 0 < len(read) <= _MAX_SIGNATURES:
        raise MalformedJwsError(_NOT_GENERAL)
    if len({one.payload for one in read}) > 1 or len({one.kid for one in read}) < len(read):
        raise MalformedJwsError(_DISAGREEMENT)


@lru_cache(maxsize=512)
def _protected(alg: Algorithm, kid: KeyId, typ: str, iat: int | None) -> bytes:
    header: dict[str, str | int] = {"alg": alg, "kid": kid, "typ": typ}
    if iat is not None:
        header["iat"] = iat
    return base64url.encode(orjson.dumps(header))


_MAX_HEADER: Final = 1_024
_MAX_SIGNATURE: Final = 128
_MAX_SIGNATURES: Final = 64
_MAX_GENERAL: Final = 4 * AGREEMENT.max_payload // 3 + _MAX_SIGNATURES * 2 * _MAX_HEADER
_EARLIEST_IAT: Final = 1_000_000_000
_LATEST_IAT: Final = 253_402_300_799
"""The last second of 9999, after which neither RFC 3339 nor Python has a date."""
_KID: Final = re.compile(KEY_ID_PATTERN)

_NOT_COMPACT: Final = Bilingual(
    fr="Il faut une signature JWS compacte : trois parties séparées par des points.",
    en="This must be a compact JWS: three parts with dots between them.",
)
_TOO_LONG: Final = Bilingual(fr="Une partie de la signature JWS est trop longue.", en="A part of the JWS is too long.")
_NOT_BASE64URL: Final = Bilingual(
    fr="Une partie de la signature JWS n'est pas du base64url canonique sans remplissage.",
    en="A part of the JWS is not canonical base64url without padding.",
)
_NOT_GENERAL: Final = Bilingual(
    fr="Il faut un payload et de 1 à 64 signatures, chacune faite de protected et de signature seulement.",
    en="There must be one payload and 1 to 64 signatures, each made of protected and signature alone.",
)
_DISAGREEMENT: Final = Bilingual(
    fr="Les signatures doivent porter sur les mêmes octets, chacune par une clé différente.",
    en="The signatures must cover the same bytes, each by a different key.",
)
_NOT_AN_OBJECT: Final = Bilingual(
    fr="L'en-tête protégé n'est pas un objet JSON.", en="The protected header is not a JSON object."
)
_BAD_ALG: Final = Bilingual(fr="L'alg doit être ES256 ou Ed25519.", en="The alg must be ES256 or Ed25519.")
_BAD_KID: Final = Bilingual(fr="Le kid n'a pas la forme requise.", en="The kid does not have the required form.")
_BAD_IAT: Final = Bilingual(
    fr="L'iat doit être un nombre entier de secondes depuis 1970, et vraisemblable.",
    en="The iat must be a whole and plausible number of seconds since 1970.",
)


def _decoded(segment: bytes, limit: int) -> bytes:
    if len(segment) > (limit * 4 + 2) // 3:
        raise MalformedJwsError(_TOO_LONG)
    try:
        return base64url.decode(segment)
    except base64url.Base64UrlError:
        raise MalformedJwsError(_NOT_BASE64URL) from None


@lru_cache(maxsize=1_024)
def _header(protected: bytes, profile: JwsProfile) -> tuple[KeyId, Algorithm, int | None]:
    """Return what a protected header says; one key's headers of one second are the same bytes."""
    header = _members(_decoded(protected, _MAX_HEADER), profile)
    return _kid(header["kid"]), _alg(header["alg"]), _iat(header["iat"]) if "iat" in header else None


def _members(data: bytes, profile: JwsProfile) -> dict[str, JsonValue]:
    try:
        header = parse_json(data)
    except JsonError as error:
        raise MalformedJwsError(
            Bilingual(
                fr=f"L'en-tête protégé est refusé. {error.reason.fr}",
                en=f"The protected header is refused. {error.reason.en}",
            )
        ) from None
    if not isinstance(header, dict):
        raise MalformedJwsError(_NOT_AN_OBJECT)
    if header.keys() - profile.optional != profile.members - profile.optional:
        raise MalformedJwsError(_members_of(profile))
    if "typ" in header and header["typ"] not in profile.typ:
        raise MalformedJwsError(_typ_of(profile))
    return header


@lru_cache(maxsize=64)
def _members_of(profile: JwsProfile) -> Bilingual:
    names = ", ".join(sorted(profile.members))
    return Bilingual(
        fr=f"L'en-tête protégé doit avoir exactement ces membres : {names}.",
        en=f"The protected header must have exactly these members: {names}.",
    )


@lru_cache(maxsize=64)
def _typ_of(profile: JwsProfile) -> Bilingual:
    names = ", ".join(profile.typ)
    return Bilingual(fr=f"Le typ doit être : {names}.", en=f"The typ must be: {names}.")


def _alg(value: JsonValue) -> Algorithm:
    match value:
        case "ES256" | "Ed25519":
            return value
        case _:
            raise MalformedJwsError(_BAD_ALG)


def _kid(value: JsonValue) -> KeyId:
    if not isinstance(value, str) or not _KID.fullmatch(value):
        raise MalformedJwsError(_BAD_KID)
    return KeyId(value)


def _iat(value: JsonValue) -> int:
    # A boolean is an integer to Python, not to JSON.
    if not isinstance(value, int) or isinstance(value, bool) or not _EARLIEST_IAT <= value <= _LATEST_IAT:
        raise MalformedJwsError(_BAD_IAT)
    return value
