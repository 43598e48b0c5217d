"""Cosignatures: a witness's word that it saw this checkpoint at this time, and nothing that contradicts it.

C2SP tlog-cosignature, the Ed25519 kind: a note's signature of type 0x04, whose bytes are a time and a signature over
``cosignature/v1``, that time and the checkpoint's whole text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.errors import UntrustedNoteError
from audit.note import Note, NoteSignature, is_name, key_id_of, read_vkey, write_vkey
from schemas.bilingual import Bilingual
from schemas.signing.base64url import decode as decode_base64url
from schemas.signing.keys import SigningKey

_COSIGNATURE: Final = b"\x04"
_TIME_SIZE: Final = 8
_SIGNATURE_SIZE: Final = _TIME_SIZE + 64
_LATEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A cosignature that verified: whose, when it says it was made (POSIX seconds), and its line."""

    name: str
    time: int
    line: str


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A witness's name and public key (32 bytes), by which its cosignatures are checked."""

    name: str
    public_key: bytes

    @classmethod
    def from_vkey(cls, vkey: str) -> CosignerKey:
        """Read a verifier key of type 0x04. Raises ``MalformedNoteError``."""
        name, public_key = read_vkey(vkey, _COSIGNATURE)
        return cls(name=name, public_key=public_key)

    @property
    def key_id(self) -> bytes:
        """The first four bytes of ``SHA-256(name || 0x0A || 0x04 || key)``."""
        return key_id_of(self.name, _COSIGNATURE, self.public_key)

    @property
    def vkey(self) -> str:
        """The verifier key as text."""
        return write_vkey(self.name, _COSIGNATURE, self.public_key)

    def cosignature(self, text: str, signatures: Iterable[NoteSignature]) -> Cosignature | None:
        """Return this key's latest cosignature over a checkpoint's text; None where there is none.

        Raises ``UntrustedNoteError`` where any under its name and id is wrong.
        """
        found = [
            Cosignature(self.name, self._time_of(text, each.signature), each.line)
            for each in signatures
            if (each.name, each.key_id) == (self.name, self.key_id)
        ]
        return max(found, key=lambda each: each.time, default=None)

    def _time_of(self, text: str, timestamped: bytes) -> int:
        time = int.from_bytes(timestamped[:_TIME_SIZE])
        if len(timestamped) != _SIGNATURE_SIZE or time > _LATEST:
            raise UntrustedNoteError(_UNTRUSTED)
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(timestamped[_TIME_SIZE:], _message(text, time))
        except (InvalidSignature, ValueError):
            raise UntrustedNoteError(_UNTRUSTED) from None
        return time


class Cosigner:
    """Cosigns checkpoints as one witness. ``ValueError`` for a key that is not Ed25519, or a name no note can carry."""

    def __init__(self, name: str, key: SigningKey) -> None:
        if key.alg != "Ed25519":
            raise ValueError("a witness signs with Ed25519")
        if not is_name(name):
            raise ValueError("a witness's name has no spaces, no control characters and no plus")
        self.key: Final = CosignerKey(name=name, public_key=decode_base64url(key.public.jwk["x"].encode()))
        self._signing = key

    def cosign(self, text: str, *, time: int) -> str:
        """Return the signature line over a checkpoint's text at a time, POSIX seconds; it ends in a newline."""
        signature = self._signing.sign(_message(text, time))
        return NoteSignature(self.key.name, self.key.key_id, time.to_bytes(_TIME_SIZE) + signature).line


def cosignatures(note: Note, keys: Iterable[CosignerKey]) -> tuple[Cosignature, ...]:
    """Return what known witnesses have cosigned of a checkpoint. Raises ``UntrustedNoteError`` for a wrong one."""
    found = (key.cosignature(note.text, note.signatures) for key in keys)
    return tuple(each for each in found if each is not None)


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


_UNTRUSTED: Final = Bilingual(
    fr="Une cosignature au nom d'un témoin connu n'est pas la sienne.",
    en="A cosignature in the name of a known witness is not its own.",
)
