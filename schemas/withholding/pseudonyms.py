"""Keyed pseudonyms: under one agreement the same value in members of one name is always the same, elsewhere another.

HMAC-SHA-256 under a key of each agreement's own (HKDF-SHA-256, RFC 5869, from the exchange's secret), cut to 128 bits.
Without the secret nobody can try a list of names or of birth dates against a pseudonym.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.ids import AgreementId
from schemas.pointers import Scalar
from schemas.signing import base64url
from schemas.signing.canonical import canonical_bytes
from schemas.withholding.spellings import folded

PREFIX: Final = "pseudonym:"
"""What every pseudonym begins with; 22 characters of base64url follow."""

LEAST_SECRET: Final = 32
"""How many bytes the exchange's secret must have."""


class Pseudonyms:
    """Makes pseudonyms under one secret of the exchange."""

    __slots__ = ("_keys", "_secret")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < LEAST_SECRET:
            raise ValueError("the secret of pseudonyms must have 32 bytes")
        self._secret = secret
        self._keys: dict[AgreementId, bytes] = {}

    def of(self, value: Scalar, *, member: str, agreement: AgreementId) -> str:
        """Return the pseudonym of a value in a member of this name.

        Spellings that differ in case, accents, spaces and punctuation alone have one pseudonym.
        """
        said = folded(value) or value if isinstance(value, str) else value
        kind = "text" if isinstance(value, str) else "other"
        tag = hmac.digest(self._key(agreement), canonical_bytes([member, kind, said]), hashlib.sha256)
        return PREFIX + base64url.encode(tag[:_BYTES]).decode()

    def _key(self, agreement: AgreementId) -> bytes:
        if agreement not in self._keys:
            info = b"lacolle pseudonym v1\x00" + agreement.encode()
            self._keys[agreement] = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._secret)
        return self._keys[agreement]


_BYTES: Final = 16
