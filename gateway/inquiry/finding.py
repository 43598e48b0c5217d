"""Finding what an auditor asks for: by terms, and, where words of an identifier are asked for, by reading these.

Marks narrow a search by words down to few entries, which are opened: what is found is what the words themselves say.
So an entry whose words are gone is not found by them, and neither a page nor its end tells that it was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.queries import entries_at
from audit.search import Found, Search, search
from audit.terms import words_of
from gateway.inquiry.asked import Asked
from gateway.sealing.contents import Contents
from gateway.sealing.marks import Marks
from gateway.sealing.words import word_mark
from gateway.store.disclosed import ReadEntry, read_entries
from schemas.ids import JurisdictionCode


async def find(
    connection: AsyncConnection,
    contents: Contents,
    asked: Asked,
    *,
    scope: JurisdictionCode,
    size: int,
    limit: int,
) -> Found:
    """Return the first entries that are asked for among the log's first ``size``, ``limit`` at most."""
    if not asked.words:
        return await search(connection, asked.search, scope=scope, size=size, limit=limit)

    async def among(connection: AsyncConnection, indexes: Sequence[int]) -> Sequence[int]:
        read = await read_entries(connection, contents, await entries_at(connection, indexes))
        return [each.entry.index for each in read if _has(each, asked.words)]

    wanted = _by_words(asked, contents.marks)
    return await search(connection, wanted, scope=scope, size=size, limit=limit, among=among)


def _by_words(asked: Asked, marks: Marks) -> Search:
    """Return a search for words: those of entries of before stand as they are, of all others there is a mark."""
    words = (frozenset({f"word:{each}", f"mark:{word_mark(marks, each)}"}) for each in asked.words)
    return replace(asked.search, one_of=(*asked.search.one_of, *words))


def _has(read: ReadEntry, words: Sequence[str]) -> bool:
    return set(words) <= set(words_of(str(read.content.get("identifier", ""))))
