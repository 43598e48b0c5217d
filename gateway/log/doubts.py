"""Why nothing may be appended to the log now, although the database would take it.

Whoever signs checkpoints finds that the log contradicts what was published; a witness says that it has cosigned what
this log has not. Each such *doubt* has a source, stands in the database for every process of the exchange to see, and
goes when that source is satisfied: a restored database is put right, a witness is asked again and cosigns. While there
is one, nothing is accepted and nothing is signed (decision 18).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, assert_never

import structlog
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import time_text
from gateway.clock import Clock
from gateway.store.engine import DRIVER_TROUBLE, Store
from gateway.store.tables import log_doubts
from schemas.bilingual import Bilingual

log = structlog.get_logger(__name__)

SIGNER: Final = "signer"
"""The source that signs checkpoints; every other is a witness's name, which has a dot or a slash."""


class Doubt(StrEnum):
    """What is wrong with the log."""

    BEHIND_PUBLISHED = "contradicts-published"
    BEHIND_WITNESS = "behind-witness"
    OTHER_THAN_WITNESS = "contradicts-witness"

    def told(self, source: str) -> Bilingual:
        """Return the doubt in words; ``source`` is who has it."""
        match self:
            case Doubt.BEHIND_PUBLISHED:
                return _PUBLISHED
            case Doubt.BEHIND_WITNESS:
                return Bilingual(
                    fr=f"Le témoin {source} a cosigné un journal plus long que celui-ci : une sauvegarde plus ancienne "
                    "a probablement été restaurée. Rien n'est accepté ni signé tant que les inscriptions manquantes ne "
                    "sont pas revenues.",
                    en=f"The witness {source} has cosigned a longer log than this one: an older backup was probably "
                    "restored. Nothing is accepted or signed until the missing entries are back.",
                )
            case Doubt.OTHER_THAN_WITNESS:
                return Bilingual(
                    fr=f"Le journal contredit ce que le témoin {source} a cosigné. Rien n'est accepté ni signé.",
                    en=f"The log contradicts what the witness {source} has cosigned. Nothing is accepted or signed.",
                )
            case _:
                assert_never(self)


class Doubts:
    """What this process knows of the doubts about one log. ``on_change`` is told why nothing may be appended, if so."""

    def __init__(self, store: Store, *, clock: Clock, on_change: Callable[[Bilingual | None], None]) -> None:
        self._store = store
        self._clock = clock
        self._on_change = on_change
        self._known: dict[str, Doubt] = {}

    @property
    def reason(self) -> Bilingual | None:
        """Why nothing may be appended; None where it may."""
        return next((doubt.told(source) for source, doubt in sorted(self._known.items())), None)

    @property
    def detail(self) -> str:
        """All of them in short."""
        return ", ".join(f"{doubt} ({source})" for source, doubt in sorted(self._known.items()))

    def only(self, source: str) -> bool:
        """Say whether nobody but this source has a doubt."""
        return self._known.keys() <= {source}

    async def refresh(self) -> None:
        """Read what other processes have found out. Raises ``LogUnavailableError``."""
        async with self._store.reading() as connection:
            await self.read(connection)

    async def read(self, connection: AsyncConnection) -> None:
        """Read what other processes have found out, by a connection of the caller's."""
        rows = await connection.execute(select(log_doubts.c.source, log_doubts.c.doubt))
        self._know({row.source: Doubt(row.doubt) for row in rows})

    async def have(self, source: str, doubt: Doubt) -> None:
        """Take note of a doubt. This process heeds it at once, the others once it is written, if it can be."""
        if self._known.get(source) is doubt:
            return
        log.critical("log_in_doubt", source=source, doubt=str(doubt))
        self._know({**self._known, source: doubt})
        try:
            async with self._store.writer.begin() as connection:
                await connection.execute(_DELETE, {"of_source": source})
                row = {"source": source, "doubt": str(doubt), "time": time_text(self._clock())}
                await connection.execute(insert(log_doubts), row)
        except (SQLAlchemyError, *DRIVER_TROUBLE) as error:
            log.warning("doubt_not_written", error=type(error).__name__)

    async def settle(self, source: str) -> None:
        """Take note that a source is satisfied. Raises what the database does."""
        if source not in self._known:
            return
        async with self._store.writer.begin() as connection:
            await connection.execute(_DELETE, {"of_source": source})
        log.warning("log_doubt_settled", source=source)
        self._know({name: doubt for name, doubt in self._known.items() if name != source})

    async def keep_only(self, sources: frozenset[str]) -> None:
        """Settle what was said by those whom nobody asks any more, and could never settle it themselves."""
        for source in sorted(self._known.keys() - sources):
            await self.settle(source)

    def _know(self, known: dict[str, Doubt]) -> None:
        if known != self._known:
            self._known = known
            self._on_change(self.reason)


_DELETE: Final = delete(log_doubts).where(log_doubts.c.source == bindparam("of_source"))
_PUBLISHED: Final = Bilingual(
    fr="La tête du journal ne correspond pas à ce qui a été publié. Rien n'est accepté ni signé : rétablissez la base "
    "de données la plus récente, ou vérifiez-la avec « lacolle log verify ».",
    en="The log's head does not match what was published. Nothing is accepted or signed: put the most recent database "
    "back, or verify it with “lacolle log verify”.",
)
