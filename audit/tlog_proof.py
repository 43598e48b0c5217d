"""A proof that can be carried away: one entry, its path, and the checkpoint that it leads to (C2SP tlog-proof@v1).

The format's ``extra`` line holds the 32 bytes of salt and the entry's canonical bytes: their SHA-256 is the commitment
that is the leaf, so that the file alone, with the log's verifier key, says what was logged and proves it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from audit.checkpoints import CheckpointBody
from audit.entry import SALT_SIZE, Entry, commitment, read_entry
from audit.errors import MalformedProofError
from audit.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from audit.note import Verifier, open_note
from schemas.bilingual import Bilingual

HEADER: Final = "c2sp.org/tlog-proof@v1"
_LONGEST: Final = 4 * 1024 * 1024
_LONGEST_PATH: Final = 63


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof of one entry; ``note`` is the signed checkpoint, ``path`` nearest sibling first."""

    index: int
    salt: bytes
    canonical: bytes
    path: tuple[bytes, ...]
    note: str

    @property
    def text(self) -> str:
        """The proof as a file has it."""
        lines = [HEADER, f"extra {_base64(self.salt + self.canonical)}", f"index {self.index}"]
        return "\n".join([*lines, *(_base64(each) for each in self.path), "", self.note])

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a proof. Raises ``MalformedProofError``."""
        try:
            head, _, note = data[:_LONGEST].decode("utf-8").partition("\n\n")
            header, extra, index, *path = head.split("\n")
            known = extra.removeprefix("extra "), index.removeprefix("index ")
            if header != HEADER or (extra, index) != (f"extra {known[0]}", f"index {known[1]}"):
                raise MalformedProofError(_MALFORMED)
            opened, number = _bytes(known[0]), int(known[1])
            hashes = tuple(_bytes(each) for each in path)
        except (ValueError, binascii.Error):
            raise MalformedProofError(_MALFORMED) from None
        sound = len(opened) > SALT_SIZE and str(number) == known[1] and all(len(each) == HASH_SIZE for each in hashes)
        if not sound or len(hashes) > _LONGEST_PATH or len(data) > _LONGEST:
            raise MalformedProofError(_MALFORMED)
        return cls(number, opened[:SALT_SIZE], opened[SALT_SIZE:], hashes, note)

    def verify(self, log: Verifier) -> tuple[Entry, CheckpointBody]:
        """Return the entry, and the checkpoint of the log under which it is proven. Raises ``AuditError``."""
        body = CheckpointBody.parse(open_note(self.note.encode(), log))
        entry = read_entry(self.canonical)
        if entry.index != self.index or self.index >= body.size:
            raise MalformedProofError(_MALFORMED)
        leaf = leaf_hash(commitment(self.salt, self.canonical))
        verify_inclusion(leaf=leaf, index=self.index, size=body.size, proof=list(self.path), root=body.root)
        return entry, body


def is_proof(data: bytes) -> bool:
    """Say whether a file begins as a proof does."""
    return data.startswith(HEADER.encode())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if _base64(data) != text:
        raise ValueError("not canonical base64")
    return data


_MALFORMED: Final = Bilingual(
    fr="Ce fichier n'est pas une preuve d'inscription au journal (c2sp.org/tlog-proof@v1).",
    en="This file is no proof of an entry of a log (c2sp.org/tlog-proof@v1).",
)
