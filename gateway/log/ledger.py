"""What every role that writes stands on: a database, its log, and the one committer of this process.

``open_ledger`` does all that can fail before anything is written: the schema, the head, the log's first entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DatabaseError

from audit.note import LogSigner
from gateway.clock import Clock
from gateway.errors import StoreError
from gateway.log.doubts import Doubts
from gateway.sealing.contents import Contents
from gateway.sealing.words import keeping_for
from gateway.store.committer import Committer
from gateway.store.content_keys import require_keys
from gateway.store.engine import Store
from gateway.store.entries import OpeningWriter
from gateway.store.marking import found_marks
from gateway.store.schema import prepare
from gateway.store.traced import TracedCommitter
from schemas.bilingual import Bilingual
from schemas.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open database and its writer; ``writing`` is the task that commits, unless the log is in doubt."""

    store: Store
    committer: Committer
    writing: asyncio.Task[None]
    doubts: Doubts

    async def run(self) -> None:
        """Keep writing until closed. Raises what made further writing unsafe."""
        await asyncio.shield(self.writing)

    async def close(self) -> None:
        """Write what waits, then close the database."""
        self.committer.close()
        with suppress(Exception):  # what ended the writing was raised where it happened
            await self.writing
        await self.store.close()


async def open_ledger(
    store: Store,
    *,
    contents: Contents,
    words_days: int,
    signer: LogSigner,
    clock: Clock,
    randomness: Callable[[int], bytes],
    tracing: Tracing | None = None,
) -> Ledger:
    """Return the ledger in ``store``, which this closes where it fails.

    ``contents`` is the door to what is sealed in it, ``words_days`` for how long what entries withhold is kept that is
    no alert's, ``signer`` names the log, ``tracing`` records the waits for
    commits. Raises ``StoreError`` where the database can't be an exchange's, or these keys are not its own.
    """
    try:
        await prepare(store, contents)
        await require_keys(store, contents)
    except DatabaseError as error:
        await store.close()
        raise StoreError(_NO_DATABASE) from error
    except BaseException:
        await store.close()
        raise
    keeping = keeping_for(contents, days=words_days)
    if tracing is None:
        writer = Committer(store.writer, clock=clock, randomness=randomness, new_keeper=keeping)
    else:
        writer = TracedCommitter(store.writer, clock=clock, randomness=randomness, new_keeper=keeping, tracing=tracing)
    doubts = Doubts(store, clock=clock, on_change=writer.hold)
    ledger = Ledger(store, writer, asyncio.create_task(writer.run(), name="committer"), doubts)
    try:
        await found_marks(store, writer, contents)
        await writer.submit(OpeningWriter(), signer)
    except BaseException:
        await ledger.close()
        raise
    return ledger


_NO_DATABASE: Final = Bilingual(
    fr="Le fichier de la base de données n'est pas celui d'une plateforme : rétablissez-le d'une sauvegarde.",
    en="The database file is not one of an exchange: restore it from a backup.",
)
