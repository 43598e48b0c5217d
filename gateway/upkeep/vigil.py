"""The watch over stored agreements: every few seconds each is held against its signatures and the log again.

What was altered counts for nothing from the moment that this process sees it, and the log has an entry of it; so does
what is found sound again, for the alarm's end is as much a fact as its beginning. Other agreements go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from agreements.steps import document_digest
from audit.entry import Draft
from audit.kinds import Kind
from gateway.errors import LogUnavailableError
from gateway.store.agreed import read_agreements, read_proposal_rows
from gateway.store.agreements import move_version
from gateway.store.committer import Batch, Committer
from gateway.store.engine import Store
from gateway.trust.assay import Assayed, Assayer
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.following import tell
from gateway.upkeep.proposals import ProposalAlarmWriter, ProposalAssayer
from schemas.ids import AgreementId, JurisdictionCode

log = structlog.get_logger(__name__)

INTERVAL: Final = 5.0
"""Seconds between two looks."""


class Vigil:
    """Watches what the database holds of agreements, for one process."""

    def __init__(
        self,
        registry: CurrentRegistry,
        assayer: Assayer,
        *,
        store: Store,
        committer: Committer,
        interval: float = INTERVAL,
    ) -> None:
        self._registry = registry
        self._assayer = assayer
        self._store = store
        self._committer = committer
        self._interval = interval
        self._writer = AlarmWriter(registry)
        self._proposals = ProposalAssayer(registry.jurisdictions)
        self._proposal_writer = ProposalAlarmWriter()

    async def run(self) -> None:
        """Look until cancelled, also where the database is away for a while."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.look()
            except LogUnavailableError:
                log.warning("vigil_waits_for_the_database")

    async def look(self) -> None:
        """Read everything and raise or lift what alarms are due. Raises ``LogUnavailableError``."""
        version, known = self._registry.version, self._registry.found
        async with self._store.reading() as connection:
            stored = await read_agreements(connection)
            rows = await read_proposal_rows(connection)
        alarms, self._registry.altered_proposals = await asyncio.to_thread(self._proposals.assay, stored.entries, *rows)
        for alarm in alarms:
            await self._committer.submit(self._proposal_writer, alarm)
        found = await asyncio.to_thread(self._assayer.assay, stored)
        missing = _missing(known, found)
        found = replace(found, altered={**found.altered, **dict.fromkeys(missing, "missing")})
        if self._registry.version != version or self._registry.found is not known:
            return  # something was recorded meanwhile: the next look sees it
        tell(known, found)
        altered, alarmed = found.altered.keys(), found.alarmed
        if altered != known.altered.keys():
            # what is known of it stays, for its parties are told, and it is looked for again
            self._registry.hold(replace(found, book=found.book.as_in(known.book, altered)))
        for name in sorted(altered - alarmed):
            await self._committer.submit(self._writer, Alarm(name, found.altered[name]))
        for name in sorted(alarmed - altered):
            log.warning("agreement_restored", agreement=name)
            await self._committer.submit(self._writer, Alarm(name, None))


@dataclass(frozen=True, slots=True)
class Alarm:
    """An agreement, and what was found wrong with it in the database; None where it is sound again."""

    name: AgreementId
    found: str | None


class AlarmWriter:
    """Logs alarms and their ends, each once, whichever process is the first to see it."""

    def __init__(self, registry: CurrentRegistry) -> None:
        self._registry = registry

    async def write(self, batch: Batch, items: Sequence[Alarm]) -> Sequence[None]:
        """Append an entry where the log does not say so already."""
        staged = self._registry.stage(batch)
        for item in items:
            if (item.found is not None) == (item.name in self._registry.found.alarmed):
                continue
            index = batch.log.append(self._entry(item))
            await move_version(batch, staged, index)
            batch.after_commit.append(partial(self._take, item))
        batch.after_commit.insert(0, lambda: self._registry.count(staged))
        return [None] * len(items)

    def _take(self, item: Alarm) -> None:
        found = self._registry.found
        if item.found is None:
            altered = {name: what for name, what in found.altered.items() if name != item.name}
            self._registry.hold(replace(found, altered=altered, alarmed=found.alarmed - {item.name}))
        else:
            altered = {**found.altered, item.name: item.found}
            self._registry.hold(replace(found, altered=altered, alarmed=found.alarmed | {item.name}))

    def _entry(self, item: Alarm) -> Draft:
        chapters = [each for name, each in self._registry.book.chapters.items() if name[0] == item.name]
        members: set[JurisdictionCode] = {party for each in chapters for party in each.life.members}
        digests = [document_digest(each.agreement.signed.payload) for each in chapters]
        return Draft(
            kind=Kind.AGREEMENT_RESTORED if item.found is None else Kind.AGREEMENT_ALTERED,
            actor=None,
            jurisdictions=tuple(members),
            alert_id=None,
            agreement=item.name,
            content={"digests": digests} if item.found is None else {"found": item.found},
        )


def _missing(known: Assayed, found: Assayed) -> set[AgreementId]:
    """Return the agreements that this process knows, or knows steps of, and the database has no trace of."""
    here = {name[0] for name, chapter in known.book.chapters.items() if _lacks(found, name, len(chapter.steps))}
    return here - found.altered.keys()


def _lacks(found: Assayed, name: tuple[AgreementId, int], steps: int) -> bool:
    chapter = found.book.chapters.get(name)
    return chapter is None or len(chapter.steps) < steps
