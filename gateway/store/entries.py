"""Writes that are an entry and nothing else, the log's first one among them; and the spent client assertions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from audit.entry import Draft
from audit.kinds import Kind
from audit.note import LogSigner
from gateway.store.committer import Batch
from gateway.store.tables import client_assertions


class EntryWriter:
    """Appends entries: refusals of identified senders, previews."""

    async def write(self, batch: Batch, items: Sequence[Draft]) -> Sequence[int]:
        """Return the index of each entry."""
        return [batch.log.append(item) for item in items]


class TogetherWriter:
    """Appends entries that tell of one deed, to each jurisdiction its own part: all of them, or none."""

    async def write(self, batch: Batch, items: Sequence[Sequence[Draft]]) -> Sequence[int]:
        """Return the index of each item's first entry."""
        places = [[batch.log.append(draft) for draft in item] for item in items]
        return [of_item[0] for of_item in places]


class OpeningWriter:
    """Begins a log with the entry that names it and its key; whoever comes later finds it begun."""

    async def write(self, batch: Batch, items: Sequence[LogSigner]) -> Sequence[None]:
        """Append the entry where the log is empty."""
        for item in items:
            if batch.log.size == 0:
                batch.log.append(
                    Draft(
                        kind=Kind.EXCHANGE_OPENED,
                        actor=None,
                        jurisdictions=(),
                        alert_id=None,
                        agreement=None,
                        content={"origin": item.origin, "log_key": item.vkey},
                    )
                )
        return [None] * len(items)


@dataclass(frozen=True, slots=True)
class SpentAssertion:
    """The SHA-256 of a client assertion's issuer and ``jti``, and when it expires, in ms since the Unix epoch."""

    digest: bytes
    expires_ms: int


class AssertionWriter:
    """Remembers client assertions until they expire, so that each is used once (RFC 7523 section 3, item 7)."""

    async def write(self, batch: Batch, items: Sequence[SpentAssertion]) -> Sequence[bool]:
        """Return for each assertion whether this is its first use."""
        await batch.connection.execute(delete(client_assertions).where(client_assertions.c.expires_ms < batch.now_ms))
        statement = select(client_assertions.c.digest).where(
            client_assertions.c.digest.in_({item.digest for item in items})
        )
        spent = set((await batch.connection.execute(statement)).scalars())
        fresh: list[bool] = []
        rows = []
        for item in items:
            fresh.append(item.digest not in spent)
            if fresh[-1]:
                spent.add(item.digest)
                rows.append({"digest": item.digest, "expires_ms": item.expires_ms})
        if rows:
            await batch.connection.execute(insert(client_assertions), rows)
        return fresh
