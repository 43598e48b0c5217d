"""Auditors' questions to the log: answered from what a checkpoint covers, and logged before they are answered.

Whoever asks sees what its jurisdiction is a party to and nothing else. What it is shown, and why it says that it asked,
becomes an entry that its own jurisdiction and the parties of what it was shown can read in turn.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.checkpoints import Checkpoint
from audit.entry import Draft
from audit.kinds import Kind
from audit.proofs import inclusions
from audit.queries import LoggedEntry, entries_at
from audit.search import Found
from audit.terms import read_whole
from gateway.errors import NotFoundError
from gateway.inquiry.asked import Asked
from gateway.inquiry.finding import find
from gateway.inquiry.questions import QUESTIONS
from gateway.intake.ratelimit import RateLimiter
from gateway.sealing.contents import Contents
from gateway.store.committer import Committer
from gateway.store.disclosed import ReadEntry, read_entries
from gateway.store.engine import Store
from gateway.store.entries import TogetherWriter
from gateway.store.reader import Reader
from gateway.store.tables import acknowledgements
from gateway.watching.checks import HasLatest
from schemas.ids import JurisdictionCode

MOST: Final = 200
"""Entries that one answer holds at most."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as it was read, with the proof that it is under the answer's checkpoint, nearest sibling first."""

    read: ReadEntry
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found under a checkpoint; ``following`` is where the next page begins, None where there is none.

    ``log_index`` is the entry that says that this was asked.
    """

    checkpoint: Checkpoint
    shown: tuple[Shown, ...]
    following: int | None
    log_index: int


class Auditing:
    """The use case of ``GET /v1/log/entries``."""

    def __init__(
        self,
        *,
        store: Store,
        contents: Contents,
        committer: Committer,
        checkpoints: HasLatest,
        limiter: RateLimiter,
    ) -> None:
        self._store = store
        self._contents = contents
        self._committer = committer
        self._checkpoints = checkpoints
        self._limiter = limiter
        self._entries = TogetherWriter()

    async def answer(
        self, reader: Reader, asked: Asked, *, limit: int, justification: str, question: str | None = None
    ) -> Answer:
        """Return the entries that an auditor asks for, ``limit`` at most, once the question is in the log.

        ``question`` is the name of a ready-made one, where it is one. Raises ``RateLimitedError``,
        ``LogUnavailableError``, and ``NotFoundError`` before the first checkpoint.
        """
        self._limiter.take(reader.participant, now=time.monotonic())
        checkpoint = self._checkpoints.latest
        if checkpoint is None:
            raise NotFoundError
        async with self._store.reading() as connection:
            found = await find(
                connection, self._contents, asked, scope=reader.jurisdiction, size=checkpoint.size, limit=limit
            )
            entries: Sequence[LoggedEntry] = await entries_at(connection, found.indexes)
            if question is not None and QUESTIONS[question].unanswered:
                entries = await _unanswered(connection, entries)
            proofs = await inclusions(connection, [entry.index for entry in entries], checkpoint.size)
            read = await read_entries(connection, self._contents, entries)
            shown = tuple(map(Shown, read, proofs))
        asking = _questions(reader, asked, entries, justification, question)
        log_index = await self._committer.submit(self._entries, asking)
        return Answer(checkpoint, shown, _following(found), log_index)


def _following(found: Found) -> int | None:
    return found.indexes[-1] if found.more else None


async def _unanswered(connection: AsyncConnection, entries: Sequence[LoggedEntry]) -> Sequence[LoggedEntry]:
    """Return the entries about deliveries that nobody has acknowledged."""
    deliveries = {each.index: read_whole(each.canonical)["content"]["delivery_id"] for each in entries}
    rows = await connection.scalars(
        select(acknowledgements.c.delivery_id).where(acknowledgements.c.delivery_id.in_(deliveries.values()))
    )
    answered = set(rows)
    return [each for each in entries if deliveries[each.index] not in answered]


def _questions(
    reader: Reader, asked: Asked, entries: Sequence[LoggedEntry], justification: str, question: str | None
) -> Sequence[Draft]:
    """Return what the log says of a question: to the auditor's jurisdiction all of it, and to each other its part.

    Whoever is a party to one of the entries that were shown must not learn from this with whom the auditor's
    jurisdiction deals besides.
    """
    shown: dict[JurisdictionCode, list[int]] = {each: [] for each in sorted(asked.about)}
    for entry in entries:
        for party in read_whole(entry.canonical)["jurisdictions"]:
            shown.setdefault(party, []).append(entry.index)
    shown[reader.jurisdiction] = [entry.index for entry in entries]
    parties = sorted(shown, key=lambda each: (each != reader.jurisdiction, each))
    return [
        Draft(
            kind=Kind.QUERIED,
            actor=reader.participant,
            jurisdictions=(party,),
            alert_id=None,
            agreement=None,
            content={
                "filters": dict(asked.filters),
                "justification": justification,
                "after": asked.search.after,
                "shown": shown[party],
                **({} if question is None else {"question": question}),
            },
        )
        for party in parties
    ]
