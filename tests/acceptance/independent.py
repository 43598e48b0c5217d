"""What an agency's own programmer writes from the wire contract: signatures, tokens, the log's proofs.

Nothing here is the exchange's code: both would have to misread a standard in the same way for a mistake to pass.
Compact JWS by hand (RFC 7515) over the primitives of ``cryptography``, the tree of RFC 6962, C2SP's notes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

Document = dict[str, Any]

_ES256: Final = ec.ECDSA(SHA256())


def b64(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """Return the bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def dumped(value: object) -> bytes:
    """Return JSON as any program writes it, in UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8")


@dataclass(frozen=True)
class Key:
    """A private key with its name and the one algorithm it is for, ``Ed25519`` or ``ES256``."""

    kid: str
    private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, kid: str, alg: str = "Ed25519") -> Key:
        """Make a key that nobody has registered."""
        if alg == "Ed25519":
            return cls(kid, ed25519.Ed25519PrivateKey.generate())
        return cls(kid, ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def read(cls, file: Path) -> Key:
        """Read a private JWK from a file."""
        return cls.of(json.loads(file.read_bytes()))

    @classmethod
    def of(cls, jwk: Mapping[str, str]) -> Key:
        """Return the key of a private JWK."""
        secret = unb64(jwk["d"])
        if jwk["kty"] == "OKP":
            return cls(jwk["kid"], ed25519.Ed25519PrivateKey.from_private_bytes(secret))
        return cls(jwk["kid"], ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1()))

    def named(self, kid: str) -> Key:
        """Return this key under another name."""
        return Key(kid, self.private)

    @property
    def alg(self) -> str:
        """The algorithm's name in a header (RFC 9864, RFC 7518)."""
        return "Ed25519" if isinstance(self.private, ed25519.Ed25519PrivateKey) else "ES256"

    @property
    def jwk(self) -> dict[str, str]:
        """The public JWK."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            members = {"kty": "OKP", "crv": "Ed25519", "x": b64(self.private.public_key().public_bytes_raw())}
        else:
            point = self.private.public_key().public_numbers()
            members = {"kty": "EC", "crv": "P-256", "x": b64(point.x.to_bytes(32)), "y": b64(point.y.to_bytes(32))}
        return {**members, "kid": self.kid, "alg": self.alg}

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of a signature (RFC 8032; RFC 7518 section 3.4)."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        r, s = decode_dss_signature(self.private.sign(data, _ES256))
        return r.to_bytes(32) + s.to_bytes(32)


def sealed(header: Mapping[str, Any] | bytes, payload: bytes, key: Key) -> bytes:
    """Return a compact JWS; a header given as bytes is signed as it stands."""
    text = header if isinstance(header, bytes) else dumped(header)
    signing_input = f"{b64(text)}.{b64(payload)}".encode("ascii")
    return signing_input + b"." + b64(key.sign(signing_input)).encode("ascii")


def opened(compact: str | bytes, jwk: Mapping[str, str]) -> tuple[Document, Document]:
    """Return header and payload of a compact JWS that a public key signed; fail where it did not."""
    text = compact.decode("ascii") if isinstance(compact, bytes) else compact
    header, payload, signature = text.split(".")
    assert is_signed(f"{header}.{payload}".encode("ascii"), unb64(signature), jwk)
    return json.loads(unb64(header)), json.loads(unb64(payload))


def is_signed(data: bytes, signature: bytes, jwk: Mapping[str, str]) -> bool:
    """Whether a public key made a signature over data."""
    try:
        if jwk["kty"] == "OKP":
            ed25519.Ed25519PublicKey.from_public_bytes(unb64(jwk["x"])).verify(signature, data)
        else:
            numbers = ec.EllipticCurvePublicNumbers(
                int.from_bytes(unb64(jwk["x"])), int.from_bytes(unb64(jwk["y"])), ec.SECP256R1()
            )
            der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
            numbers.public_key().verify(der, data, _ES256)
    except InvalidSignature:
        return False
    return True


# The tree (RFC 6962 section 2.1).


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, by the recursive definition."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(tree_hash(leaves[:left]), tree_hash(leaves[left:]))


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    assert 0 <= index < size
    here, last, found = index, size - 1, leaf
    for sibling in proof:
        assert last > 0
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    assert last == 0
    return found


def roots_of_consistency(old_root: bytes, first: int, second: int, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a consistency proof leads to (RFC 9162 section 2.1.4.2)."""
    if first == second:
        assert not proof
        return old_root, old_root
    path = list(proof) if first & (first - 1) else [old_root, *proof]
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        assert last > 0
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    assert last == 0
    return old, new


# Checkpoints (C2SP signed-note, tlog-checkpoint).


@dataclass(frozen=True)
class Checkpoint:
    """The body of a checkpoint whose signature was verified."""

    origin: str
    size: int
    root: bytes


def read_checkpoint(note: bytes, *, name: str, log_key: Mapping[str, str]) -> Checkpoint:
    """Return what a signed note says; fail unless the log's Ed25519 key signed it under its name."""
    body, separator, signatures = note.decode("utf-8").rpartition("\n\n")
    assert separator
    public = unb64(log_key["x"])
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    lines = signatures.splitlines()
    mine = [line for line in lines if line.startswith(f"\u2014 {name} ")]
    assert len(mine) == 1
    signature = base64.b64decode(mine[0].rpartition(" ")[2], validate=True)
    assert signature[:4] == key_id
    assert is_signed(f"{body}\n".encode(), signature[4:], log_key)
    origin, size, root, *_ = body.split("\n")
    assert str(int(size)) == size
    return Checkpoint(origin, int(size), base64.b64decode(root, validate=True))


def tile_number(number: int) -> str:
    """Return a tile's number as its address writes it: groups of three digits, all but the last behind an ``x``."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))
