"""What a witness decides, asked to cosign a checkpoint after the last one (C2SP tlog-witness, add-checkpoint).

Pure. ``AddCheckpoint`` is a request as it arrives; ``WitnessedLog`` is all that a witness remembers of a log: its key,
and the checkpoint that it cosigned last. Whoever keeps it stores what ``judge`` returns before it cosigns anything.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, replace
from typing import Final

from audit.checkpoints import CheckpointBody
from audit.errors import (
    AuditError,
    ForkedLogError,
    MalformedNoteError,
    MalformedRequestError,
    ProofError,
    StaleRequestError,
    UntrustedNoteError,
)
from audit.merkle import EMPTY_ROOT, HASH_SIZE, verify_consistency
from audit.note import Verifier, open_note
from schemas.bilingual import Bilingual

MOST_PROOF_LINES: Final = 63
MOST_BYTES: Final = 64 * 1024
"""More than any request needs: a proof of 63 hashes takes 3 KB, a checkpoint with its signatures a few."""
SIZE_TYPE: Final = "text/x.tlog.size"
_OLD: Final = re.compile(r"old (?P<size>0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A log's request: the size it thinks was cosigned last, the proof from there, and its new checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Read a request's body. Raises ``MalformedRequestError`` for anything that ``body`` would write otherwise."""
        head, empty, note = body.partition(b"\n\n")
        try:
            first, *hashes = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise MalformedRequestError(_MALFORMED) from None
        old = _OLD.fullmatch(first)
        if old is None or not empty or not note or len(hashes) > MOST_PROOF_LINES:
            raise MalformedRequestError(_MALFORMED)
        return cls(int(old["size"]), tuple(map(_hash, hashes)), note)

    @property
    def body(self) -> bytes:
        """The request's body."""
        lines = [f"old {self.old}", *(base64.b64encode(each).decode() for each in self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.note

    @property
    def origin(self) -> str:
        """The log that the checkpoint says it is of; nothing is verified."""
        return self.note.partition(b"\n")[0].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A log that a witness knows, and the checkpoint of it that it cosigned last; size 0 before the first.

    ``note`` is that checkpoint as the log signed it: the witness's evidence, should the log contradict it.
    """

    verifier: Verifier
    size: int = 0
    root: bytes = b""
    note: bytes = b""

    def judge(self, request: AddCheckpoint) -> tuple[CheckpointBody, WitnessedLog]:
        """Return the checkpoint that may be cosigned, and what is to be remembered first.

        Raises ``MalformedRequestError``; ``UntrustedNoteError`` where the log's key has not signed it;
        ``StaleRequestError`` where another size was cosigned last, ``ForkedLogError`` where another root of this one
        was; ``ProofError``.
        """
        checkpoint = self._opened(request)
        if request.old > checkpoint.size:
            raise MalformedRequestError(_BACKWARDS)
        if request.old != self.size:
            raise StaleRequestError(_STALE, size=self.size)
        if request.old == checkpoint.size and self.size and checkpoint.root != self.root:
            raise ForkedLogError(_FORKED, size=self.size)
        if request.old == 0:
            if request.proof or (checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT):
                raise ProofError(_PROOF_FROM_NOTHING)
        else:
            verify_consistency(
                first=request.old,
                second=checkpoint.size,
                first_root=self.root,
                second_root=checkpoint.root,
                proof=request.proof,
            )
        return checkpoint, replace(self, size=checkpoint.size, root=checkpoint.root, note=request.note)

    def _opened(self, request: AddCheckpoint) -> CheckpointBody:
        try:
            checkpoint = CheckpointBody.parse(open_note(request.note, self.verifier))
        except UntrustedNoteError:
            raise
        except AuditError as error:
            raise MalformedRequestError(error.reason) from error
        if checkpoint.origin != self.verifier.name:
            raise MalformedRequestError(_MALFORMED)
        return checkpoint

    @property
    def text(self) -> bytes:
        """What is remembered, as a file: the log's verifier key, a newline, and the note."""
        return f"{self.verifier.vkey}\n".encode() + self.note

    @classmethod
    def parse(cls, content: bytes) -> WitnessedLog:
        """Read what was remembered. Raises ``MalformedNoteError``, ``UntrustedNoteError``, ``AuditError``."""
        first, newline, note = content.partition(b"\n")
        if not newline:
            raise MalformedNoteError(_NO_MEMORY)
        verifier = Verifier.from_vkey(first.decode(errors="replace"))
        if not note:
            return cls(verifier)
        body = CheckpointBody.parse(open_note(note, verifier))
        return cls(verifier, body.size, body.root, note)


def _hash(line: str) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except binascii.Error:
        raise MalformedRequestError(_MALFORMED) from None
    if len(data) != HASH_SIZE or base64.b64encode(data).decode() != line:
        raise MalformedRequestError(_MALFORMED)
    return data


_MALFORMED: Final = Bilingual(
    fr="Cette demande n'a pas la forme voulue (C2SP tlog-witness).",
    en="This request has not the form that it must have (C2SP tlog-witness).",
)
_BACKWARDS: Final = Bilingual(
    fr="L'ancienne taille dépasse celle du point de contrôle.",
    en="The old size is larger than the checkpoint's.",
)
_STALE: Final = Bilingual(
    fr="Le dernier point de contrôle cosigné est d'une autre taille.",
    en="The checkpoint that was cosigned last is of another size.",
)
_FORKED: Final = Bilingual(
    fr="À cette taille, une autre racine a été cosignée : le journal a été dédoublé.",
    en="Another root was cosigned for this size: the log was forked.",
)
_PROOF_FROM_NOTHING: Final = Bilingual(
    fr="Depuis l'arbre vide, il n'y a rien à prouver : la preuve doit être vide, et l'arbre vide n'a qu'une racine.",
    en="From the empty tree there is nothing to prove: the proof must be empty, and the empty tree has one root.",
)
_NO_MEMORY: Final = Bilingual(
    fr="Ce fichier n'est pas la mémoire d'un témoin.",
    en="This file is not a witness's memory.",
)
