"""Signed notes: a text, and who vouches for it (C2SP signed-note).

The log's own signature is Ed25519, type 0x01; witnesses' are cosignatures (``audit.cosignature``).
"""

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
class NoteSignature:
    """One signature line of a note: whose key it says it is, and what was signed is left to that key's kind."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {_encode(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and the signatures under it, in their order."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def signatures_of(self, name: str, key_id: bytes) -> list[bytes]:
        """Return the signatures that say they are of a key."""
        return [each.signature for each in self.signatures if (each.name, each.key_id) == (name, key_id)]


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
        name, public_key = read_vkey(vkey, _ED25519)
        return cls(name=name, public_key=public_key)

    @property
    def key_id(self) -> bytes:
        """The first four bytes of ``SHA-256(name || 0x0A || 0x01 || key)``."""
        return key_id_of(self.name, _ED25519, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key as text."""
        return write_vkey(self.name, _ED25519, self.public_key)

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
        if not is_name(origin):
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
        signature = NoteSignature(self.origin, self.verifier.key_id, self._key.sign(text.encode()))
        return f"{text}\n{signature.line}"


def open_note(note: bytes, verifier: Verifier) -> str:
    """Return the text of a note that the key has signed. Signatures of other keys are ignored.

    Raises ``MalformedNoteError``; ``UntrustedNoteError`` where the key's signature is missing, or any under its name
    and id is wrong.
    """
    read = read_note(note)
    of_key = read.signatures_of(verifier.name, verifier.key_id)
    if not of_key or not all(verifier.verifies(read.text, signature) for signature in of_key):
        raise UntrustedNoteError(_UNTRUSTED)
    return read.text


def read_note(note: bytes) -> Note:
    """Return a note's text and signatures, none of which is verified. Raises ``MalformedNoteError``."""
    # The text is all up to the last empty line; what follows must be signature lines, every one well formed.
    try:
        text, empty, lines = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise MalformedNoteError(_MALFORMED) from None
    if len(note) > _MAX_NOTE or not text or not empty or _CONTROL.search(text):
        raise MalformedNoteError(_MALFORMED)
    return Note(text + "\n", read_signatures(lines))


def read_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Return the signatures in one line or more, each with its newline. Raises ``MalformedNoteError``."""
    found = lines.removesuffix("\n").split("\n")
    if not lines.endswith("\n") or _CONTROL.search(lines) or len(found) > _MAX_SIGNATURES:
        raise MalformedNoteError(_MALFORMED)
    return tuple(map(_signature, found))


def read_vkey(vkey: str, kind: bytes) -> tuple[str, bytes]:
    """Return the name and the 32 bytes in a verifier key, ``<name>+<hex key id>+<base64(kind || key)>``.

    Raises ``MalformedNoteError``, also where it is of another kind, or the id is not that of the name and key.
    """
    match = _VKEY.fullmatch(vkey)
    encoded = _decode(match["key"]) if match else None
    if match is None or encoded is None or not encoded.startswith(kind):
        raise MalformedNoteError(_NO_VKEY)
    name, key = match["name"], encoded[len(kind) :]
    if key_id_of(name, kind, key).hex() != match["key_id"]:
        raise MalformedNoteError(_NO_VKEY)
    return name, key


def write_vkey(name: str, kind: bytes, key: bytes) -> str:
    """Return a verifier key as text."""
    return f"{name}+{key_id_of(name, kind, key).hex()}+{_encode(kind + key)}"


def key_id_of(name: str, kind: bytes, key: bytes) -> bytes:
    """Return the first four bytes of ``SHA-256(name || 0x0A || kind || key)``."""
    return hashlib.sha256(name.encode() + b"\n" + kind + key).digest()[:_KEY_ID_SIZE]


def is_name(name: str) -> bool:
    """Say whether a key may be called so: no spaces, no control characters, no plus."""
    return bool(name) and "+" not in name and not _CONTROL.search(name) and not any(map(str.isspace, name))


def _signature(line: str) -> NoteSignature:
    match = _SIGNATURE.fullmatch(line)
    data = _decode(match["signature"]) if match else None
    if match is None or data is None or len(data) <= _KEY_ID_SIZE:
        raise MalformedNoteError(_MALFORMED)
    return NoteSignature(match["name"], data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:])


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
