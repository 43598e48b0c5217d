"""Ending exports whose process died over them: they were broken off, and the log says so to everyone concerned.

How far such an export came nobody knows. So its end has no digest, and counts what it would have held had it been
taken whole: each jurisdiction is told of as many of its own entries as can have left, and never of fewer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Final

import structlog

from audit.log import read_head
from audit.queries import entries_at
from audit.terms import read_whole
from gateway.clock import Clock
from gateway.errors import LogUnavailableError
from gateway.inquiry.asked import Asked, read_filters
from gateway.inquiry.exporting import LONGEST, Ended
from gateway.inquiry.finding import find
from gateway.inquiry.reports import Report, among_kinds
from gateway.sealing.contents import Contents
from gateway.store.committer import Committer
from gateway.store.disclosed import read_entries
from gateway.store.engine import Store
from gateway.store.exports import ExportEnd, ExportEndWriter, left_exports
from schemas.ids import JurisdictionCode, ParticipantId
from schemas.signing.disclosures import HIDDEN

log = structlog.get_logger(__name__)

INTERVAL: Final = 60.0
"""Seconds between two looks."""
LEFT_AFTER: Final = LONGEST + timedelta(hours=1)
"""How old an export is that nobody makes any more: it would have ended itself, whatever its clock."""
_CHUNK: Final = 1_000
_ASKED: Final = ("filters", "justification", "report", "format")


class AbandonedExports:
    """Ends what is left of exports. One is active for a database; ``start`` it before this process makes any export."""

    def __init__(self, *, store: Store, contents: Contents, committer: Committer, clock: Clock) -> None:
        self._store = store
        self._contents = contents
        self._committer = committer
        self._clock = clock
        self._before = 0
        self._writer = ExportEndWriter()

    async def start(self) -> None:
        """Take note of what is under way by now, where no other process makes any; else an export's age must tell."""
        if not self._store.shared:
            async with self._store.reading() as connection:
                self._before = (await read_head(connection)).size

    async def run(self) -> None:
        """Look until cancelled, also where the log can't be appended for a while."""
        while True:
            try:
                await self.look()
            except LogUnavailableError:
                log.warning("abandoned_exports_wait_for_the_log")
            await asyncio.sleep(INTERVAL)

    async def look(self) -> int:
        """End every export that nobody makes any more, and return how many those were."""
        until_ms = int((self._clock() - LEFT_AFTER).timestamp() * 1000)
        async with self._store.reading() as connection:
            left = await left_exports(connection, before=self._before, until_ms=until_ms)
        ended = [await self._committer.submit(self._writer, await self._end_of(begun)) for begun in left]
        for begun in left:
            log.warning("export_abandoned", log_index=begun)
        return len(ended)

    async def _end_of(self, begun: int) -> ExportEnd:
        async with self._store.reading() as connection:
            read = await read_entries(connection, self._contents, await entries_at(connection, [begun]))
        if not read:
            raise LookupError("an export under way has no entry")
        (entry,) = read
        said, home = entry.content, JurisdictionCode(entry.whole["jurisdictions"][0])
        filters = {name: value for name, value in said["filters"].items() if name != HIDDEN}
        entries, parties = await self._held(read_filters(filters, after=-1), Report(said["report"]), said["size"], home)
        asked = {name: said[name] for name in _ASKED if name in said} | {"filters": filters}
        ended = Ended(ParticipantId(entry.whole["actor"]), home, begun, parties, asked)
        return ended.drafts(complete=False, entries=entries)

    async def _held(
        self, asked: Asked, report: Report, size: int, home: JurisdictionCode
    ) -> tuple[int, Counter[JurisdictionCode]]:
        """Return how many entries an export would have held, and how many of them are each jurisdiction's.

        Where the words that it asked for can't be read any more, that is without them: of more entries, never of fewer.
        """
        wanted, more = among_kinds(asked, report), True
        entries, parties = 0, Counter[JurisdictionCode](dict.fromkeys(asked.about, 0))
        while more:
            async with self._store.reading() as connection:
                found = await find(connection, self._contents, wanted, scope=home, size=size, limit=_CHUNK)
                for entry in await entries_at(connection, found.indexes):
                    parties.update(map(JurisdictionCode, read_whole(entry.canonical)["jurisdictions"]))
            entries, more = entries + len(found.indexes), found.more
            after = found.indexes[-1] if found.indexes else wanted.search.after
            wanted = replace(wanted, search=replace(wanted.search, after=after))
        return entries, parties
