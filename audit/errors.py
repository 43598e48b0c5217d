"""What can be wrong with the log, or with what someone shows about it. Each error says so in both languages."""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from schemas.bilingual import Bilingual


class AuditError(Exception):
    """Something about the exchange log is not as it must be."""

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


class MalformedEntryError(AuditError):
    """The bytes are not those of a log entry."""


class DisclosureError(AuditError):
    """What is given as a part of an entry is none of it."""


class MalformedTilePathError(AuditError):
    """The path names no tile (C2SP tlog-tiles)."""


class MalformedNoteError(AuditError):
    """The bytes are not a signed note, or the text is no verifier key (C2SP signed-note)."""


class UntrustedNoteError(AuditError):
    """The note carries no signature of a known key, or a wrong one."""


class MalformedCheckpointError(AuditError):
    """The text is not that of a checkpoint (C2SP tlog-checkpoint)."""


class ProofError(AuditError):
    """The proof does not show what it is given for."""


class MalformedProofError(AuditError):
    """The text is not a proof of logging (C2SP tlog-proof)."""


class NotInLogError(AuditError):
    """The log is not that large: it has no such entry, tile or size."""


class LogStateError(AuditError):
    """The log's tables are not in a state in which an entry may be appended."""


class LogForkError(AuditError):
    """Signing now would contradict a checkpoint that was published before."""


class MalformedRequestError(AuditError):
    """What was sent to a witness is no request to add a checkpoint (C2SP tlog-witness)."""


class StaleRequestError(AuditError):
    """A witness cosigned another checkpoint last than the log says; ``size`` is that one's."""

    def __init__(self, reason: Bilingual, *, size: int) -> None:
        super().__init__(reason)
        self.size = size


class ForkedLogError(StaleRequestError):
    """The log has signed another root for the size that a witness cosigned last."""


class UnmetPolicyError(AuditError):
    """Too few witnesses have cosigned the checkpoint, or too long ago."""


class Subject(StrEnum):
    """What a verification found at fault."""

    ENTRY = "entry"
    PARTIES = "parties"
    TILE = "tile"
    HEAD = "head"
    CHECKPOINT = "checkpoint"


class LogVerificationError(AuditError):
    """The log does not verify.

    ``subject`` says what is wrong; where it has a place, ``index`` is the entry's (or, for a checkpoint, its tree
    size), ``level`` and ``tile`` the tile's.
    """

    def __init__(
        self,
        subject: Subject,
        reason: Bilingual,
        *,
        index: int | None = None,
        level: int | None = None,
        tile: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.subject = subject
        self.index = index
        self.level = level
        self.tile = tile

    def __reduce__(self) -> tuple[object, ...]:
        """Say how it is made again in another process."""
        again = partial(type(self), index=self.index, level=self.level, tile=self.tile)
        return again, (self.subject, self.reason)

    def __str__(self) -> str:
        places = {"index": self.index, "level": self.level, "tile": self.tile}
        where = "".join(f", {name} {place}" for name, place in places.items() if place is not None)
        return f"{self.subject}{where}: {self.reason.en}"
