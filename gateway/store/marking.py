"""Which key the marks in a database were made under: founded once, with the first process, and held to ever after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from gateway.sealing.contents import Contents
from gateway.sealing.errors import KeyLostError, SealingError
from gateway.store.committer import Batch, Committer
from gateway.store.engine import Store
from gateway.store.tables import mark_key
from schemas.bilingual import Bilingual


class MarkKeyWriter:
    """Writes down the mark by which the key is known, where there is none yet."""

    async def write(self, batch: Batch, items: Sequence[bytes]) -> Sequence[None]:
        """Keep the first one that ever came."""
        if await batch.connection.scalar(_KNOWN) is None:
            row = {"id": 1, "mark": items[0], "since": batch.log.size}
            await batch.connection.execute(insert(mark_key), row)
        return [None] * len(items)


async def found_marks(store: Store, committer: Committer, contents: Contents) -> None:
    """Make the key of marks for a database that has none, and hold the one in the folder against the database's.

    Raises ``StoreError`` where the key that made this database's marks is not there, damaged, or another one: nobody
    would find an alert again, and each could be accepted twice.
    """
    if await _known(store) is None:
        try:
            mark = contents.found_marks().check
        except SealingError as error:
            raise StoreError(error.reason) from error
        await committer.submit(MarkKeyWriter(), mark)
    try:
        same = await _known(store) == contents.marks.check
    except KeyLostError as error:
        raise StoreError(_LOST) from error
    except SealingError as error:
        raise StoreError(error.reason) from error
    if not same:
        raise StoreError(_OTHER)


async def marked_since(connection: AsyncConnection) -> int:
    """Return how many entries the log had when marks came: what was decided before named alerts by identifiers."""
    return int(await connection.scalar(select(mark_key.c.since)) or 0)


async def _known(store: Store) -> bytes | None:
    async with store.reading() as connection:
        known: bytes | None = await connection.scalar(_KNOWN)
    return known


_KNOWN: Final = select(mark_key.c.mark)
_LOST: Final = Bilingual(
    fr="La clé des marques, marks.key, manque au dossier des clés du contenu (files.content_keys), ou y est "
    "endommagée : sans elle, aucune alerte de cette base ne se retrouve par son identifiant. Rétablissez-la d'une "
    "copie sûre.",
    en="The key of marks, marks.key, is missing from the folder of the content keys (files.content_keys), or damaged "
    "there: without it no alert of this database is found by its identifier. Put it back from a safe copy.",
)
_OTHER: Final = Bilingual(
    fr="La clé des marques, marks.key, n'est pas celle de cette base : avec une autre, aucune alerte ne se retrouve "
    "par son identifiant. Rétablissez la bonne dans le dossier des clés du contenu (files.content_keys).",
    en="The key of marks, marks.key, is not the one of this database: under another one no alert is found by its "
    "identifier. Put the right one back into the folder of the content keys (files.content_keys).",
)
