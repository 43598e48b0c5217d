"""Watching a log from outside: whoever keeps its last checkpoint sees whether history was rewritten since.

Behind one address may be several gateways, one of which is a moment behind the others. So a smaller checkpoint is no
accusation by itself: where the log that it is of is the beginning of the one that was kept, it *lags*. Only where that
can't be shown does it contradict.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from audit.checkpoints import CheckpointBody
from audit.errors import AuditError
from audit.merkle import verify_consistency
from audit.note import Verifier, open_note
from lacolle.errors import HistoryRewrittenError, TroubledError, UnexpectedAnswerError
from schemas.bilingual import Bilingual

Fetch = Callable[[str], Awaitable[bytes]]
"""Gets what an exchange shows to everybody, below its address."""


class _Consistency(BaseModel):
    """The answer of ``/v1/log/proofs/consistency``, as far as it is believed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    proof: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that goes with the one before: the signed note, and what it says.

    One that ``lags`` is of a smaller log, with which the one before begins: whoever keeps checkpoints keeps that.
    """

    note: bytes
    body: CheckpointBody
    lags: bool = False


def opened(note: bytes, log: Verifier) -> Seen:
    """Return a checkpoint that the log has signed. Raises ``AuditError``."""
    return Seen(note, CheckpointBody.parse(open_note(note, log)))


async def look(fetch: Fetch, log: Verifier, known: Seen | None) -> Seen:
    """Return the log's checkpoint, now that it is known to continue the one that was kept, or to lag behind it.

    ``known`` is that one, None at the first look. Raises ``HistoryRewrittenError`` where it does neither, or is not the
    log's, and what ``fetch`` raises.
    """
    note = await fetch("log/checkpoint")
    try:
        seen = opened(note, log)
    except AuditError as error:
        raise HistoryRewrittenError(error.reason) from None
    if known is not None and known.body.size:
        try:
            await _require_one_history(fetch, known.body, seen.body)
        except HistoryRewrittenError as error:
            raise HistoryRewrittenError(error.reason, note=note) from None
        return replace(seen, lags=seen.body.size < known.body.size)
    return seen


async def _require_one_history(fetch: Fetch, before: CheckpointBody, body: CheckpointBody) -> None:
    if body.origin != before.origin:
        raise HistoryRewrittenError(_ANOTHER_LOG)
    if not body.size:
        return  # every log begins so
    first, second = sorted((before, body), key=lambda each: each.size)
    told = _rewritten(before.size, body.size) if first is before else _shrunk(before.size, body.size)
    try:
        proof = await _proof(fetch, first.size, second.size) if first.size < second.size else []
        verify_consistency(
            first=first.size, second=second.size, proof=proof, first_root=first.root, second_root=second.root
        )
    except (AuditError, ValidationError, binascii.Error):
        raise HistoryRewrittenError(told) from None
    except UnexpectedAnswerError as error:
        if first is before or isinstance(error, TroubledError):
            raise  # it is asked again
        raise HistoryRewrittenError(told) from None  # it has no longer what it has signed


async def _proof(fetch: Fetch, first: int, second: int) -> list[bytes]:
    answer = await fetch(f"v1/log/proofs/consistency?first={first}&second={second}")
    told = _Consistency.model_validate_json(answer).proof
    return [base64.b64decode(each, validate=True) for each in told]


_ANOTHER_LOG: Final = Bilingual(
    fr="Le point de contrôle est celui d'un autre journal que celui qui était conservé.",
    en="The checkpoint is that of another log than the one that was kept.",
)


def _shrunk(before: int, now: int) -> Bilingual:
    return Bilingual(
        fr=f"Le journal a rétréci, de {before} à {now} inscriptions, et ne montre pas que celles-ci sont le début de "
        "celles-là : ce n'est pas un simple retard. Conservez les deux points de contrôle, qui le prouvent, et "
        "avertissez les autres administrations.",
        en=f"The log has shrunk from {before} to {now} entries, and does not show that these are the beginning of "
        "those: it is no mere lag. Keep both checkpoints, which prove it, and tell the other jurisdictions.",
    )


def _rewritten(before: int, now: int) -> Bilingual:
    return Bilingual(
        fr=f"Le journal de {now} inscriptions ne continue pas celui de {before} : son passé a été récrit. Conservez "
        "les deux points de contrôle, qui le prouvent, et avertissez les autres administrations.",
        en=f"The log of {now} entries does not continue the one of {before}: its past was rewritten. Keep both "
        "checkpoints, which prove it, and tell the other jurisdictions.",
    )
