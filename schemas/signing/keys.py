"""Keys that sign and verify: the two algorithms of the exchange, and what makes a JWK one of its keys.

``ES256`` is ECDSA on P-256 with SHA-256, the signature 64 bytes r‖s (RFC 7518 section 3.4), both in range. An ECDSA
signature has a twin, so nothing may be deduplicated on signature bytes.

``Ed25519`` is RFC 9864's name for RFC 8032's algorithm, verified as OpenSSL does: S must be below the group's order, R
must come out byte for byte, and the equation is the one without the cofactor. Small-order keys and encodings that are
not canonical are refused when the key is read, so those rules leave one verdict for every signature.

joserfc reads, writes and makes the JWKs; cryptography signs and verifies with the keys that it made of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from schemas.bilingual import Bilingual
from schemas.ids import KEY_ID_PATTERN, KeyId
from schemas.signing import base64url
from schemas.signing.algorithms import Algorithm, encoded, signer_of, verifier_of
from schemas.signing.edwards import is_sound_point


class KeyMaterialError(Exception):
    """The JWK is not a key of this exchange; ``reason`` says why and shows nothing of it."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies.

    ``jwk`` holds its public members and nothing else (RFC 7517 section 4); ``encoded`` is the key as
    ``schemas.signing.algorithms`` writes it.
    """

    kid: KeyId
    alg: Algorithm
    jwk: Mapping[str, str] = field(hash=False)
    encoded: bytes = field(repr=False, compare=False)
    _holds: Callable[[bytes, bytes], bool] = field(repr=False, compare=False)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> PublicKey:
        """Return the key that a public JWK describes; ``use`` may be there and then is ``sig``.

        Raises ``KeyMaterialError`` for a private member or any other that is not expected, a missing or malformed
        ``kid``, an ``alg`` that ``kty`` and ``crv`` contradict, and coordinates that are no sound point.
        """
        material = _material(jwk, private=False)
        kid, alg = _kid(jwk), _alg(jwk)
        public_members = MappingProxyType({**material, "kid": kid, "alg": alg})
        native = _read(material).public_key
        if not isinstance(native, EllipticCurvePublicKey | Ed25519PublicKey):
            raise KeyMaterialError(_BAD_ALG)
        return cls(kid, alg, public_members, encoded(native), verifier_of(native))

    def verify(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over ``signing_input``. Never raises."""
        return self._holds(signature, signing_input)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs. Its private part never shows in ``repr``."""

    kid: KeyId
    alg: Algorithm
    public: PublicKey
    _jwk: Mapping[str, str] = field(repr=False, hash=False)
    _sign: Callable[[bytes], bytes] = field(repr=False, compare=False)

    @classmethod
    def generate(cls, kid: KeyId, alg: Algorithm) -> SigningKey:
        """Return a new key, from the operating system's randomness. Raises ``KeyMaterialError`` for a bad ``kid``."""
        made = ECKey.generate_key("P-256") if alg == "ES256" else OKPKey.generate_key("Ed25519")
        return cls.from_jwk({**made.as_dict(private=True), "kid": kid, "alg": alg})

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> Self:
        """Return the key that a private JWK describes.

        Raises ``KeyMaterialError`` as ``PublicKey.from_jwk``, and where the private part does not make the public.
        """
        native = _read(_material(jwk, private=True)).private_key
        if not isinstance(native, EllipticCurvePrivateKey | Ed25519PrivateKey):
            raise KeyMaterialError(_BAD_ALG)
        sign = signer_of(native)
        public = PublicKey.from_jwk({name: value for name, value in jwk.items() if name != "d"})
        # Signing under a public part not its own would give an Ed25519 key away; one signature shows whether it is.
        if not public.verify(b"", sign(b"")):
            raise KeyMaterialError(_NOT_A_KEY)
        return cls(public.kid, public.alg, public, MappingProxyType({**public.jwk, "d": str(jwk["d"])}), sign)

    def to_jwk(self) -> dict[str, str]:
        """Return the private JWK, for a key file and nowhere else."""
        return dict(self._jwk)

    def secret(self) -> bytes:
        """Return the 32 bytes of the private part, for a process that signs in this one's stead and nowhere else."""
        return base64url.decode(self._jwk["d"].encode())

    def sign(self, signing_input: bytes) -> bytes:
        """Return the 64 bytes of this key's signature over ``signing_input``."""
        return self._sign(signing_input)


_KID: Final = re.compile(KEY_ID_PATTERN)
_CURVE: Final[Mapping[Algorithm, tuple[str, str]]] = {"ES256": ("EC", "P-256"), "Ed25519": ("OKP", "Ed25519")}
_COORDINATES: Final[Mapping[Algorithm, tuple[str, ...]]] = {"ES256": ("x", "y"), "Ed25519": ("x",)}
_COORDINATE_BYTES: Final = 32
_P256_PRIME: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1

_BAD_KID: Final = Bilingual(
    fr="Le kid doit avoir de 1 à 64 caractères parmi A-Z, a-z, 0-9, point, tiret, deux-points et soulignement.",
    en="The kid must have 1 to 64 characters of A-Z, a-z, 0-9, dot, hyphen, colon and underscore.",
)
_BAD_ALG: Final = Bilingual(
    fr="L'alg de la clé doit être ES256 (EC, P-256) ou Ed25519 (OKP, Ed25519), en accord avec kty et crv.",
    en="The key's alg must be ES256 (EC, P-256) or Ed25519 (OKP, Ed25519), and agree with kty and crv.",
)
_PRIVATE: Final = Bilingual(
    fr="Cette clé contient sa partie privée, qui ne doit jamais être transmise.",
    en="This key contains its private part, which must never be sent.",
)
_MEMBERS: Final = Bilingual(
    fr="La clé doit avoir les membres kty, crv, kid, alg et ses coordonnées, et aucun autre que use « sig ».",
    en='The key must have the members kty, crv, kid, alg and its coordinates, and no other but a use of "sig".',
)
_NOT_A_KEY: Final = Bilingual(
    fr="Les coordonnées de la clé ne sont pas celles d'un point admissible de sa courbe.",
    en="The key's coordinates are not those of an acceptable point of its curve.",
)


def _kid(jwk: Mapping[str, object]) -> KeyId:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise KeyMaterialError(_BAD_KID)
    return KeyId(kid)


def _alg(jwk: Mapping[str, object]) -> Algorithm:
    match jwk.get("alg"):
        case "ES256" | "Ed25519" as alg if (jwk.get("kty"), jwk.get("crv")) == _CURVE[alg]:
            return alg
        case _:
            raise KeyMaterialError(_BAD_ALG)


def _material(jwk: Mapping[str, object], *, private: bool) -> dict[str, str]:
    """Return the members that are the key itself, each of them checked."""
    alg = _alg(jwk)
    _kid(jwk)
    coordinates = (*_COORDINATES[alg], "d") if private else _COORDINATES[alg]
    if not private and "d" in jwk:
        raise KeyMaterialError(_PRIVATE)
    if jwk.keys() - {"use"} != {"kty", "crv", "kid", "alg", *coordinates} or jwk.get("use", "sig") != "sig":
        raise KeyMaterialError(_MEMBERS)
    kty, crv = _CURVE[alg]
    material = {"kty": kty, "crv": crv}
    for name in coordinates:
        material[name] = _coordinate(jwk[name], alg, public=name != "d")
    return material


def _coordinate(text: object, alg: Algorithm, *, public: bool) -> str:
    """Return the text of 32 bytes (RFC 7518 section 6.2.1.2, RFC 8037 section 2) that may be a coordinate."""
    if not isinstance(text, str):
        raise KeyMaterialError(_NOT_A_KEY)
    try:
        raw = base64url.decode(text.encode())
    except ValueError:
        raise KeyMaterialError(_NOT_A_KEY) from None
    if len(raw) != _COORDINATE_BYTES:
        raise KeyMaterialError(_NOT_A_KEY)
    sound = not public or (int.from_bytes(raw) < _P256_PRIME if alg == "ES256" else is_sound_point(raw))
    if not sound:
        raise KeyMaterialError(_NOT_A_KEY)
    return text


def _read(material: Mapping[str, str]) -> ECKey | OKPKey:
    try:
        return (ECKey if material["kty"] == "EC" else OKPKey).import_key(dict(material))
    except (JoseError, ValueError):  # a point that is not on its curve, or not the private part's own
        raise KeyMaterialError(_NOT_A_KEY) from None
