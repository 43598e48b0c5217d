"""Watching a log from outside: whoever keeps its last checkpoint sees whether history was rewritten since."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from audit.checkpoints import CheckpointBody
from audit.errors import AuditError
from audit.merkle import verify_consistency
from audit.note import Verifier, open_note
from lacolle.errors import HistoryRewrittenError
from schemas.bilingual import Bilingual

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what an exchange shows to everybody, below its address."""


class _Consistency(BaseModel):
    """The answer of ``/v1/log/proofs/consistency``, as far as it is believed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    proof: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that continues the one before: the signed note, and what it says."""

    note: bytes
    body: CheckpointBody


def opened(note: bytes, log: Verifier) -> Seen:
    """Return a checkpoint that the log has signed. Raises ``AuditError``."""
    return Seen(note, CheckpointBody.parse(open_note(note, log)))


async def look(fetch: Fetch, log: Verifier, known: Seen | None) -> Seen:
    """Return the log's checkpoint, now that it is known to continue the one that was kept.

    ``known`` is that one, None at the first look. Raises ``HistoryRewrittenError`` where it does not continue it, or
    is not the log's, and what ``fetch`` raises.
    """
    note = await fetch("log/checkpoint")
    try:
        seen = opened(note, log)
    except AuditError as error:
        raise HistoryRewrittenError(error.reason) from None
    if known is not None and known.body.size:
        try:
            await _require_continued(fetch, known.body, seen.body)
        except HistoryRewrittenError as error:
            raise HistoryRewrittenError(error.reason, note=note) from None
    return seen


async def _require_continued(fetch: Fetch, before: CheckpointBody, body: CheckpointBody) -> None:
    if body.origin != before.origin:
        raise HistoryRewrittenError(_ANOTHER_LOG)
    if body.size < before.size:
        raise HistoryRewrittenError(_shrunk(before.size, body.size))
    if body.size == before.size:
        proof: list[bytes] = []
    else:
        answer = await fetch(f"v1/log/proofs/consistency?first={before.size}&second={body.size}")
        try:
            told = _Consistency.model_validate_json(answer).proof
            proof = [base64.b64decode(each, validate=True) for each in told]
        except (ValidationError, binascii.Error):
            raise HistoryRewrittenError(_rewritten(before.size, body.size)) from None
    try:
        verify_consistency(
            first=before.size, second=body.size, proof=proof, first_root=before.root, second_root=body.root
        )
    except AuditError:
        raise HistoryRewrittenError(_rewritten(before.size, body.size)) from None


_ANOTHER_LOG: Final = Bilingual(
    fr="Le point de contrôle est celui d'un autre journal que celui qui était conservé.",
    en="The checkpoint is that of another log than the one that was kept.",
)


def _shrunk(before: int, now: int) -> Bilingual:
    return Bilingual(
        fr=f"Le journal a rétréci, de {before} à {now} inscriptions : conservez les deux points de contrôle, qui le "
        "prouvent, et avertissez les autres administrations.",
        en=f"The log has shrunk from {before} to {now} entries: keep both checkpoints, which prove it, and tell the "
        "other jurisdictions.",
    )


def _rewritten(before: int, now: int) -> Bilingual:
    return Bilingual(
        fr=f"Le journal de {now} inscriptions ne continue pas celui de {before} : son passé a été récrit. Conservez "
        "les deux points de contrôle, qui le prouvent, et avertissez les autres administrations.",
        en=f"The log of {now} entries does not continue the one of {before}: its past was rewritten. Keep both "
        "checkpoints, which prove it, and tell the other jurisdictions.",
    )
