"""The key-encryption key: it wraps the few keys that wrap all others, and nothing else (NIST SP 800-57, 5.3.6).

``LocalKey`` holds it in memory, read from a file or the environment; ``gateway.sealing.token`` leaves it in a token.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.sealing.errors import KeyEncryptionKeyError
from schemas.bilingual import Bilingual

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
"""Bytes of a nonce of AES-GCM (NIST SP 800-38D section 8.2.2); each is chosen at random."""

Randomness = Callable[[int], bytes]


class UnwrapError(Exception):
    """These bytes were not wrapped by this key for this purpose, or were altered."""


class KeyEncryptionKey(Protocol):
    """Wraps and unwraps keys of 32 bytes. Any thread may ask."""

    @property
    def name(self) -> str:
        """What tells this key from another, and nothing of the key itself: letters, digits, ``:`` and ``-``."""
        ...

    def wrap(self, key: bytes, *, about: str) -> bytes:
        """Return a key wrapped, so that it unwraps for this very purpose alone. Raises ``KeyEncryptionKeyError``."""
        ...

    def unwrap(self, wrapped: bytes, *, about: str) -> bytes:
        """Return what was wrapped. Raises ``UnwrapError``, and ``KeyEncryptionKeyError`` where the key is away."""
        ...


class LocalKey:
    """A key-encryption key in this process's memory: AES-256-GCM, a random nonce before each ciphertext."""

    def __init__(self, key: bytes, *, randomness: Randomness) -> None:
        if len(key) != KEY_SIZE:
            raise KeyEncryptionKeyError(NO_KEY)
        self._cipher = AESGCM(key)
        self._randomness = randomness
        # the key is 256 random bits, of which 64 bits of its digest tell nobody anything
        self._name = f"aes:{hashlib.sha256(_NAMING + key).hexdigest()[:16]}"

    @property
    def name(self) -> str:
        """``aes:`` and the beginning of a digest of the key."""
        return self._name

    def wrap(self, key: bytes, *, about: str) -> bytes:
        """Return a key wrapped."""
        nonce = self._randomness(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, key, about.encode())

    def unwrap(self, wrapped: bytes, *, about: str) -> bytes:
        """Return what was wrapped. Raises ``UnwrapError``."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:], about.encode())
        except (InvalidTag, ValueError):
            raise UnwrapError from None


def key_text(key: bytes) -> str:
    """Return a key as files and variables hold it: base64, one line."""
    return b64encode(key).decode("ascii")


def read_key(text: str) -> bytes:
    """Return the 32 bytes that a text holds in base64, of either alphabet, or in 64 hexadecimal digits.

    Raises ``KeyEncryptionKeyError``, which repeats nothing of the text.
    """
    written = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", written):
        return bytes.fromhex(written)
    plain = written.rstrip("=").translate(_STANDARD)
    try:
        key = b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise KeyEncryptionKeyError(NO_KEY) from None
    if len(key) != KEY_SIZE:
        raise KeyEncryptionKeyError(NO_KEY)
    return key


_STANDARD: Final = str.maketrans("-_", "+/")
"""From the alphabet of RFC 4648 section 5 to that of section 4."""
_NAMING: Final = b"lacolle key-encryption key\x00"
NO_KEY: Final = Bilingual(
    fr="La clé qui protège les clés du contenu doit compter 32 octets, en base64 ou en 64 chiffres hexadécimaux.",
    en="The key-encryption key must be 32 bytes, in base64 or in 64 hexadecimal digits.",
)
