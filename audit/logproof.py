"""A proof that an entry is in the log, in one text that is verified offline (C2SP tlog-proof, v1)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from audit.checkpoints import CheckpointBody
from audit.cosignature import Cosignature
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
    """An entry's place, its inclusion proof, nearest sibling first, and a checkpoint as published, cosigned or not."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    @property
    def text(self) -> bytes:
        """The proof as it is kept in a file, ``.tlog-proof``."""
        lines = [_FIRST, f"index {self.index}", *(base64.b64encode(each).decode() for each in self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint

    @classmethod
    def parse(cls, content: bytes) -> LogProof:
        """Read a proof; extra data is passed over, for nothing vouches for it. Raises ``MalformedProofError``."""
        head, empty, checkpoint = content.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedProofError(_MALFORMED) from None
        first, *rest = lines
        if rest and rest[0].startswith(_EXTRA):
            rest = rest[1:]
        index = _INDEX.fullmatch(rest[0]) if rest else None
        if first != _FIRST or index is None or not empty or not checkpoint or len(rest) - 1 > _MOST_HASHES:
            raise MalformedProofError(_MALFORMED)
        return cls(int(index["index"]), tuple(map(_hash, rest[1:])), checkpoint)

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


def _hash(line: str) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise MalformedProofError(_MALFORMED) from None
    if len(data) != HASH_SIZE or base64.b64encode(data).decode() != line:
        raise MalformedProofError(_MALFORMED)
    return data


_MALFORMED: Final = Bilingual(
    fr="Ce texte n'est pas une preuve d'inscription (C2SP tlog-proof).",
    en="This text is not a proof of logging (C2SP tlog-proof).",
)
_OTHER_LOG: Final = Bilingual(
    fr="Le point de contrôle de cette preuve est celui d'un autre journal.",
    en="The proof's checkpoint is that of another log.",
)
