"""A proof that an entry is in the log, in one text that is verified offline (C2SP tlog-proof, v1).

The format's extra data may hold what the entry's commitment is made of, the 32 bytes of salt and the canonical bytes:
then the text says what was logged, too, and the log's verifier key alone proves it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from audit.checkpoints import CheckpointBody
from audit.cosignature import Cosignature
from audit.entry import SALT_SIZE, Entry, commitment, read_entry
from audit.errors import MalformedProofError, ProofError
from audit.merkle import HASH_SIZE, leaf_hash, verify_inclusion
from audit.note import Verifier, open_note
from audit.policy import WitnessPolicy
from schemas.bilingual import Bilingual

_FIRST: Final = "c2sp.org/tlog-proof@v1"
_INDEX: Final = re.compile(r"index (?P<index>0|[1-9][0-9]{0,17})")
_EXTRA: Final = "extra "
_MOST_HASHES: Final = 63


@dataclass(frozen=True, slots=True)
class LogProof:
    """An entry's place, its inclusion proof, nearest sibling first, and a checkpoint as published, cosigned or not.

    Nothing vouches for ``extra`` but what is made of it: ``verify_opened`` holds it against the commitment.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    @property
    def text(self) -> bytes:
        """The proof as it is kept in a file, ``.tlog-proof``."""
        extra = [f"{_EXTRA}{_text(self.extra)}"] if self.extra else []
        lines = [_FIRST, *extra, f"index {self.index}", *(_text(each) for each in self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint

    @classmethod
    def parse(cls, content: bytes) -> LogProof:
        """Read a proof. Raises ``MalformedProofError``."""
        head, empty, checkpoint = content.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedProofError(_MALFORMED) from None
        first, *rest = lines
        extra = b""
        if rest and rest[0].startswith(_EXTRA):
            extra, rest = _bytes(rest[0].removeprefix(_EXTRA)), rest[1:]
        index = _INDEX.fullmatch(rest[0]) if rest else None
        if first != _FIRST or index is None or not empty or not checkpoint or len(rest) - 1 > _MOST_HASHES:
            raise MalformedProofError(_MALFORMED)
        return cls(int(index["index"]), tuple(map(_hash, rest[1:])), checkpoint, extra)

    def verify(
        self, entry: bytes, *, log: Verifier, policy: WitnessPolicy | None = None
    ) -> tuple[CheckpointBody, tuple[Cosignature, ...]]:
        """Return the checkpoint under which ``entry``, a commitment, is at its index, and who has cosigned it.

        Raises ``ProofError``; ``MalformedNoteError``, ``UntrustedNoteError``, ``MalformedCheckpointError``; and
        ``UnmetPolicyError`` where the policy's witnesses have not cosigned.
        """
        body = CheckpointBody.parse(open_note(self.checkpoint, log))
        if body.origin != log.name:
            raise ProofError(_OTHER_LOG)
        cosigned = () if policy is None else policy.require(self.checkpoint)
        verify_inclusion(leaf=leaf_hash(entry), index=self.index, size=body.size, proof=self.proof, root=body.root)
        return body, cosigned

    def verify_opened(
        self, *, log: Verifier, policy: WitnessPolicy | None = None
    ) -> tuple[Entry, CheckpointBody, tuple[Cosignature, ...]]:
        """Return the entry that the extra data holds, too, now that it makes the commitment that is proven.

        Raises what ``verify`` raises, ``MalformedProofError`` for a proof without such data, and
        ``MalformedEntryError``.
        """
        salt, canonical = self.extra[:SALT_SIZE], self.extra[SALT_SIZE:]
        if not canonical:
            raise MalformedProofError(_CLOSED)
        body, cosigned = self.verify(commitment(salt, canonical), log=log, policy=policy)
        entry = read_entry(canonical)
        if entry.index != self.index:
            raise MalformedProofError(_MALFORMED)
        return entry, body, cosigned


def is_proof(content: bytes) -> bool:
    """Say whether a file begins as a proof does."""
    return content.startswith(_FIRST.encode())


def _hash(line: str) -> bytes:
    data = _bytes(line)
    if len(data) != HASH_SIZE:
        raise MalformedProofError(_MALFORMED)
    return data


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedProofError(_MALFORMED) from None
    if _text(data) != text:
        raise MalformedProofError(_MALFORMED)
    return data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


_MALFORMED: Final = Bilingual(
    fr="Ce texte n'est pas une preuve d'inscription (C2SP tlog-proof).",
    en="This text is not a proof of logging (C2SP tlog-proof).",
)
_CLOSED: Final = Bilingual(
    fr="Cette preuve ne contient pas l'inscription elle-même : demandez-la de nouveau.",
    en="This proof does not hold the entry itself: ask for it again.",
)
_OTHER_LOG: Final = Bilingual(
    fr="Le point de contrôle de cette preuve est celui d'un autre journal.",
    en="The proof's checkpoint is that of another log.",
)
