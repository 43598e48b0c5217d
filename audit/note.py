"""Signed notes: a text, and who vouches for it (C2SP signed-note). Ed25519 alone, signature type 0x01."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import MalformedNoteError, UntrustedNoteError
from schemas.bilingual import Bilingual
from schemas.signing.base64url import decode as decode_base64url
from schemas.signing.keys import SigningKey

_ED25519: Final = b"\x01"
_KEY_ID_SIZE: Final = 4
_MAX_NOTE: Final = 1 << 20
_MAX_SIGNATURES: Final = 100
_DASH: Final = "\N{EM DASH} "

_VKEY: Final = re.compile(r"(?P<name>[^+\s]+)\+(?P<key_id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]{44})")
_SIGNATURE: Final = re.compile(_DASH + r"(?P<name>[^+\s]+) (?P<signature>[A-Za-z0-9+/]+={0,2})")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A key that notes are checked with: its name and its 32 bytes."""

    name: str
    public_key: bytes

    @classmethod
    def from_vkey(cls, vkey: str) -> Verifier:
        """Read a verifier key, ``<name>+<hex key id>+<base64(0x01 || key)>``.

        Raises ``MalformedNoteError``, also where the id is not that of the name and key.
        """
        match = _VKEY.fullmatch(vkey)
        if match is None:
            raise MalformedNoteError(_NO_VKEY)
        encoded = _decode(match["key"])
        if encoded is None or not encoded.startswith(_ED25519):
            raise MalformedNoteError(_NO_VKEY)
        verifier = cls(name=match["name"], public_key=encoded[1:])
        if verifier.key_id.hex() != match["key_id"]:
            raise MalformedNoteError(_NO_VKEY)
        return verifier

    @property
    def key_id(self) -> bytes:
        """The first four bytes of ``SHA-256(name || 0x0A || 0x01 || key)``."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public_key).digest()[:_KEY_ID_SIZE]

    @property
    def vkey(self) -> str:
        """The verifier key as text."""
        return f"{self.name}+{self.key_id.hex()}+{_encode(_ED25519 + self.public_key)}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Say whether the signature over the text is this key's (RFC 8032)."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class LogSigner:
    """Signs the notes of one origin. ``ValueError`` for a key that is not Ed25519, or a name that no note can carry."""

    def __init__(self, origin: str, key: SigningKey) -> None:
        if key.alg != "Ed25519":
            raise ValueError("a log signs with Ed25519")
        if not _is_name(origin):
            raise ValueError("an origin has no spaces, no control characters and no plus")
        self.origin: Final = origin
        self.kid: Final = key.kid
        self.verifier: Final = Verifier(name=origin, public_key=decode_base64url(key.public.jwk["x"].encode()))
        self._key = key

    @property
    def vkey(self) -> str:
        """The text by which others know the log: name, key id and key."""
        return self.verifier.vkey

    def sign(self, text: str) -> str:
        """Return the text as a note. Raises ``ValueError`` for a text that no note can hold."""
        if not text.endswith("\n") or _CONTROL.search(text):
            raise ValueError("a note's text ends in a newline and has no other control character")
        signature = self.verifier.key_id + self._key.sign(text.encode())
        return f"{text}\n{_DASH}{self.origin} {_encode(signature)}\n"


def open_note(note: bytes, verifier: Verifier) -> str:
    """Return the text of a note that the key has signed. Signatures of other keys are ignored.

    Raises ``MalformedNoteError``; ``UntrustedNoteError`` where the key's signature is missing, or any under its name
    and id is wrong.
    """
    text, signatures = _split(note)
    of_key = [signature for name, key_id, signature in signatures if (name, key_id) == (verifier.name, verifier.key_id)]
    if not of_key or not all(verifier.verifies(text, signature) for signature in of_key):
        raise UntrustedNoteError(_UNTRUSTED)
    return text


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    # The text is all up to the last empty line; what follows must be signature lines, every one well formed.
    try:
        text, empty, lines = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise MalformedNoteError(_MALFORMED) from None
    if len(note) > _MAX_NOTE or not text or not empty or not lines.endswith("\n") or _CONTROL.search(text + lines):
        raise MalformedNoteError(_MALFORMED)
    found = lines.removesuffix("\n").split("\n")
    if len(found) > _MAX_SIGNATURES:
        raise MalformedNoteError(_MALFORMED)
    return text + "\n", [_signature(line) for line in found]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    match = _SIGNATURE.fullmatch(line)
    data = _decode(match["signature"]) if match else None
    if match is None or data is None or len(data) <= _KEY_ID_SIZE:
        raise MalformedNoteError(_MALFORMED)
    return match["name"], data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:]


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not _CONTROL.search(name) and not any(map(str.isspace, name))


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes | None:
    # One spelling for the same bytes: a decoder that overlooks the unused bits would accept several.
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return data if _encode(data) == text else None


_MALFORMED: Final = Bilingual(
    fr="Ce texte n'est pas une note signée (C2SP signed-note).",
    en="This text is not a signed note (C2SP signed-note).",
)
_NO_VKEY: Final = Bilingual(
    fr="Ce texte n'est pas une clé de vérification Ed25519 (nom+identifiant+clé).",
    en="This text is not an Ed25519 verifier key (name+id+key).",
)
_UNTRUSTED: Final = Bilingual(
    fr="La note ne porte pas de signature valide de la clé attendue.",
    en="The note carries no valid signature of the expected key.",
)
