"""A key of the exchange is exactly one of two kinds, sound, and never shows its private part."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from schemas.ids import KeyId
from schemas.signing.algorithms import Algorithm
from schemas.signing.edwards import SMALL_ORDER, D, P, is_sound_point
from schemas.signing.keys import KeyMaterialError, PublicKey, SigningKey

MESSAGE = b"what was said"
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def text_of(raw: bytes) -> str:
    """Write bytes as a JWK's member."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public(alg: Algorithm, changes: Mapping[str, object] = MappingProxyType({})) -> dict[str, Any]:
    """Make a public JWK and change some of its members; None takes one away."""
    jwk = {**SigningKey.generate(KeyId("k1"), alg).public.jwk, **changes}
    return {name: value for name, value in jwk.items() if value is not None}


def test_a_signature_verifies_under_its_own_key_alone(signing_key: SigningKey) -> None:
    """A key verifies what it signed, and nothing else, and no other key does."""
    signature = signing_key.sign(MESSAGE)
    assert len(signature) == 64
    assert signing_key.public.verify(MESSAGE, signature)
    assert not signing_key.public.verify(MESSAGE + b".", signature)
    assert not SigningKey.generate(KeyId("other"), signing_key.alg).public.verify(MESSAGE, signature)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 70, 128])
def test_a_signature_of_another_length_never_verifies(signing_key: SigningKey, length: int) -> None:
    """Only 64 bytes can be a signature; DER, cut and padded ones are refused without an error."""
    signature = (signing_key.sign(MESSAGE) + bytes(64))[:length]
    assert not signing_key.public.verify(MESSAGE, signature)


def test_es256_halves_must_be_in_range() -> None:
    """Zero, the order and what is above it are refused for r and for s (SEC 1 section 4.1.4)."""
    key = SigningKey.generate(KeyId("k1"), "ES256")
    signature = key.sign(MESSAGE)
    r, s = signature[:32], signature[32:]
    for bad in (0, P256_ORDER, P256_ORDER + 1, 2**256 - 1):
        assert not key.public.verify(MESSAGE, bad.to_bytes(32) + s)
        assert not key.public.verify(MESSAGE, r + bad.to_bytes(32))


def test_es256_signatures_have_a_twin() -> None:
    """The other s verifies as well: why nothing is ever deduplicated on signature bytes."""
    key = SigningKey.generate(KeyId("k1"), "ES256")
    signature = key.sign(MESSAGE)
    twin = signature[:32] + (P256_ORDER - int.from_bytes(signature[32:])).to_bytes(32)
    assert twin != signature
    assert key.public.verify(MESSAGE, twin)


def test_a_key_file_gives_the_key_back(signing_key: SigningKey) -> None:
    """The private JWK makes the same key again, and the public one verifies for it."""
    jwk = signing_key.to_jwk()
    again = SigningKey.from_jwk(jwk)
    assert again == signing_key
    assert again.to_jwk() == jwk
    assert PublicKey.from_jwk(again.public.jwk) == signing_key.public
    assert signing_key.public.verify(MESSAGE, again.sign(MESSAGE))


def test_the_private_part_stays_hidden(signing_key: SigningKey) -> None:
    """Neither the key's text nor its public JWK holds the private member."""
    secret = signing_key.to_jwk()["d"]
    assert secret not in repr(signing_key)
    assert "d" not in signing_key.public.jwk


def test_keys_are_values(signing_key: SigningKey) -> None:
    """Equal keys are equal and hash alike, and nobody can change a member."""
    assert hash(PublicKey.from_jwk(signing_key.public.jwk)) == hash(signing_key.public)
    with pytest.raises(TypeError):
        signing_key.public.jwk["kid"] = "other"  # type: ignore[index]  # what must fail


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
@pytest.mark.parametrize(
    "changes",
    [
        {"d": text_of(bytes(32))},
        {"k": "AAAA"},
        {"x5c": ["MIIB"]},
        {"key_ops": ["verify"]},
        {"ext": True},
        {"use": "enc"},
        {"use": None, "x": None},
        {"kid": None},
        {"kid": ""},
        {"kid": "k" * 65},
        {"kid": "k1\n"},
        {"kid": "é"},
        {"kid": 1},
        {"alg": None},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "EdDSA"},
        {"alg": "ES384"},
        {"kty": "oct"},
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": "Ed448"},
        {"crv": "X25519"},
        {"x": ""},
        {"x": 5},
        {"x": text_of(bytes(31))},
        {"x": text_of(bytes(33))},
        {"x": text_of(bytes(32)) + "="},
        {"x": text_of(b"\xff" * 32)},
        {"x": "é" * 43},
    ],
    ids=str,
)
def test_what_is_no_key_of_the_exchange_is_refused(alg: Algorithm, changes: dict[str, object]) -> None:
    """Private members, strange members, other algorithms, curves and types, bad names and bad points are refused."""
    with pytest.raises(KeyMaterialError):
        PublicKey.from_jwk(public(alg, changes))


def test_use_may_say_what_goes_without_saying(signing_key: SigningKey) -> None:
    """A ``use`` of ``sig`` is taken, and is not part of the key."""
    key = PublicKey.from_jwk({**signing_key.public.jwk, "use": "sig"})
    assert key == signing_key.public
    assert "use" not in key.jwk


def test_alg_must_agree_with_the_curve() -> None:
    """A key of one algorithm is not one of the other because it says so."""
    with pytest.raises(KeyMaterialError):
        PublicKey.from_jwk(public("ES256", {"alg": "Ed25519"}))
    with pytest.raises(KeyMaterialError):
        PublicKey.from_jwk(public("Ed25519", {"alg": "ES256"}))


def test_a_point_off_the_curve_is_refused() -> None:
    """Coordinates that do not satisfy P-256's equation, or are not reduced, are no key."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    jwk = public("ES256")
    y = int.from_bytes(base64.urlsafe_b64decode(jwk["y"] + "="))
    for x_and_y in (
        {"y": text_of((y ^ 1).to_bytes(32))},
        {"x": text_of(bytes(32)), "y": text_of(bytes(32))},
        {"x": text_of(prime.to_bytes(32))},
    ):
        with pytest.raises(KeyMaterialError):
            PublicKey.from_jwk({**jwk, **x_and_y})


def test_a_private_part_must_make_its_public_part(signing_key: SigningKey) -> None:
    """A private JWK whose halves do not belong together is refused, and so is one without the private half."""
    other = SigningKey.generate(signing_key.kid, signing_key.alg).to_jwk()
    with pytest.raises(KeyMaterialError):
        SigningKey.from_jwk({**signing_key.to_jwk(), "d": other["d"]})
    with pytest.raises(KeyMaterialError):
        SigningKey.from_jwk(signing_key.public.jwk)
    for bad in ("", "AA", text_of(bytes(32)) + "A", 3):
        with pytest.raises(KeyMaterialError):
            SigningKey.from_jwk({**signing_key.to_jwk(), "d": bad})


def test_no_refusal_shows_the_key(signing_key: SigningKey) -> None:
    """The reason for refusing a private key where a public one belongs holds nothing of it."""
    jwk = signing_key.to_jwk()
    with pytest.raises(KeyMaterialError) as refused:
        PublicKey.from_jwk(jwk)
    assert jwk["d"] not in refused.value.reason.en + refused.value.reason.fr
    assert "private" in refused.value.reason.en


Point = tuple[int, int]


def added(a: Point, b: Point) -> Point:
    """Add two points of the curve (RFC 8032 section 5.1.4, affine)."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def point_at(y: int) -> Point:
    """Find the point with this y and an x (RFC 8032 section 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert x * x % P == square
    return x, y


def test_the_small_order_points_are_exactly_those_of_order_eight() -> None:
    """Every y of the table has order dividing 8, and with both signs of x they are the whole group of eight."""
    points = set()
    for y in SMALL_ORDER:
        x, _ = point_at(y)
        eight = (x, y)
        for _ in range(3):
            eight = added(eight, eight)
        assert eight == (0, 1)
        points |= {(x, y), (-x % P, y)}
    assert len(points) == 8


@pytest.mark.parametrize("sign", [0, 1])
def test_unsound_ed25519_keys_are_refused(sign: int) -> None:
    """Small-order points, y at or above the prime, and y without a point are refused under either sign."""
    beyond = [P + y for y in range(19)]
    off_curve = [y for y in range(2, 60) if pow((y * y - 1) * (D * y * y + 1), (P - 1) // 2, P) != 1]
    assert off_curve
    for y in (*SMALL_ORDER, *beyond, *off_curve):
        raw = (y | sign << 255).to_bytes(32, "little")
        assert not is_sound_point(raw)
        with pytest.raises(KeyMaterialError):
            PublicKey.from_jwk({"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "kid": "k1", "x": text_of(raw)})
