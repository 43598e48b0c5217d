"""What PostgreSQL keeps of a password, made here: the password itself is in no statement, and so in no server's log."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from gateway.errors import StoreError
from schemas.bilingual import Bilingual

ITERATIONS: Final = 4096
"""PostgreSQL's own number (``scram_iterations``); the passwords made here are random, and need no more."""


def verifier(password: str, *, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return the SCRAM-SHA-256 verifier of an ASCII password (RFC 5803, RFC 7677), as ``CREATE ROLE`` takes it.

    The keys are those of RFC 5802, section 3. Raises ``StoreError`` for a password that SASLprep might change.
    """
    if not (password.isascii() and password.isprintable()):
        raise StoreError(_ODD)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server = _keyed(salted, b"Server Key")
    return f"SCRAM-SHA-256${iterations}:{_base64(salt)}${_base64(stored)}:{_base64(server)}"


def _keyed(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_ODD: Final = Bilingual(
    fr="Le mot de passe d'un rôle de la base de données doit être fait de caractères ASCII imprimables.",
    en="The password of a database role must be made of printable ASCII characters.",
)
