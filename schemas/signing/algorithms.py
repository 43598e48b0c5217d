"""The two algorithms themselves, over cryptography's keys: what ``schemas.signing.keys`` is built on.

Kept apart so that a process which does nothing but sign and verify need not load what reads JWKs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, TypeAlias, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Algorithm: TypeAlias = Literal["ES256", "Ed25519"]
NativePublicKey: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey
NativePrivateKey: TypeAlias = EllipticCurvePrivateKey | Ed25519PrivateKey

SIGNATURE_BYTES: Final = 64
"""The length of a signature, the same under both algorithms."""

_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ECDSA_SHA256: Final = ECDSA(SHA256())


def verifier_of(native: NativePublicKey) -> Callable[[bytes, bytes], bool]:
    """Return a function that says whether a signature is this key's over a message; it never raises."""
    match native:
        case EllipticCurvePublicKey():
            return partial(_holds, partial(_check_es256, native))
        case Ed25519PublicKey():
            return partial(_holds, native.verify)
        case _:
            assert_never(native)


def signer_of(native: NativePrivateKey) -> Callable[[bytes], bytes]:
    """Return a function that signs a message in ``SIGNATURE_BYTES`` bytes."""
    match native:
        case EllipticCurvePrivateKey():
            return partial(_sign_es256, native)
        case Ed25519PrivateKey():
            return native.sign
        case _:
            assert_never(native)


def encoded(native: NativePublicKey) -> bytes:
    """Return a public key's bytes: RFC 8032's 32, or the 65 of an uncompressed point (SEC 1, section 2.3.3)."""
    if isinstance(native, Ed25519PublicKey):
        return native.public_bytes_raw()
    return native.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def public_key(alg: Algorithm, data: bytes) -> NativePublicKey:
    """Return the key that ``encoded`` gave the bytes of. Raises ``ValueError`` for other bytes."""
    if alg == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(data)
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), data)


def private_key(alg: Algorithm, secret: bytes) -> NativePrivateKey:
    """Return the key whose private part, a JWK's ``d``, is these 32 bytes. Raises ``ValueError`` for other bytes."""
    if alg == "Ed25519":
        return Ed25519PrivateKey.from_private_bytes(secret)
    return derive_private_key(int.from_bytes(secret), SECP256R1())


def _holds(check: Callable[[bytes, bytes], object], signature: bytes, message: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        check(signature, message)
    except InvalidSignature:
        return False
    return True


def _check_es256(native: EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    if not (0 < r < _P256_ORDER and 0 < s < _P256_ORDER):
        raise InvalidSignature
    native.verify(encode_dss_signature(r, s), message, _ECDSA_SHA256)


def _sign_es256(native: EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(native.sign(message, _ECDSA_SHA256))
    return r.to_bytes(32) + s.to_bytes(32)
