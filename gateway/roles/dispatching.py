"""The relay role: publish what is due, record outcomes, watch deadlines, sign checkpoints, index the log, erase.

One process does so for a database. Each *term* of being the one is begun anew from the database: what an earlier term
held in memory, windows and breakers, may have been overtaken by another process. A term that is lost stops where it
stands; what it was doing is pending in the database, or not done on the bus, and the next term takes it from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from audit.checkpoints import Checkpoint, PublishedState
from audit.errors import AuditError
from audit.note import LogSigner
from bus.contract import Bus
from gateway.backoff import Backoff
from gateway.books.reckoning import Reckoner
from gateway.clock import Clock
from gateway.errors import LogUnavailableError, StoreError
from gateway.inquiry.abandoning import AbandonedExports
from gateway.leadership import Leadership, Term
from gateway.log.checkpoints import CheckpointTask
from gateway.log.doubts import SIGNER
from gateway.log.indexing import Indexer
from gateway.log.ledger import Ledger
from gateway.log.witness_calls import AskWitness
from gateway.log.witnessing import Witnessing
from gateway.relaying.copies import Copies
from gateway.relaying.deadlines import DeadlineWatch
from gateway.relaying.lag import keep_measuring
from gateway.relaying.outcomes import OutcomeRecorder
from gateway.relaying.recalling import Recaller
from gateway.relaying.relay import Relay
from gateway.sealing.contents import Contents
from gateway.settings.exchange import Settings
from gateway.store.changes import log_sizes
from gateway.store.dispatches import OutcomeWriter, Reopening, ReopenWriter, Route, Settled
from gateway.store.due import pending_routes, routes_since
from gateway.store.engine import DRIVER_TROUBLE, is_storage_failure
from gateway.store.recalled import RecalledWriter
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.erasing import Eraser
from gateway.watching.metrics import RelayMetrics
from schemas.ids import ParticipantId
from schemas.parcels import OutcomeReport
from schemas.tracing import Tracing

log = structlog.get_logger(__name__)

WINDOW = 128
"""Parcels of one route that are between bus and outcome at most."""
REPORTED_WITHIN = 60.0
"""Seconds that a parcel may take to its outcome beside what a full window takes at a partner that is slow each time."""
PAUSE = 1.0
"""Seconds after an interrupted term until the next is asked for."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What every term works with.

    ``forgetful`` says that the bus forgets when its process ends.
    """

    settings: Settings
    ledger: Ledger
    registry: CurrentRegistry
    bus: Bus
    signer: LogSigner
    contents: Contents
    copies: Copies
    published: PublishedState
    metrics: RelayMetrics
    clock: Clock
    tracing: Tracing
    forgetful: bool
    ask: AskWitness


class Dispatching:
    """One term's work. ``start`` before ``run``; it is a ``Listener`` of hints."""

    def __init__(self, at: Workplace) -> None:
        settings, committer = at.settings, at.ledger.committer
        self._at = at
        self.checkpoints = CheckpointTask(
            store=at.ledger.store,
            signer=at.signer,
            published=at.published,
            clock=at.clock,
            doubts=at.ledger.doubts,
            on_published=self._published,
        )
        self._witnessing = Witnessing(
            settings.witnesses,
            ask=at.ask,
            store=at.ledger.store,
            doubts=at.ledger.doubts,
            clock=at.clock,
            on_cosigned=self.checkpoints.cosigned,
            on_ages=at.metrics.witnessed,
        )
        self.relay = Relay(
            store=at.ledger.store,
            committer=committer,
            bus=at.bus,
            contents=at.contents,
            copies=at.copies,
            origin=settings.origin,
            data_schema_base=f"{settings.base_url}/v1/schemas",
            clock=at.clock,
            registry=at.registry,
            on_withheld=at.metrics.settled,
            window=WINDOW,
            patience=REPORTED_WITHIN + settings.delivery.timeout * WINDOW / settings.delivery.concurrency,
            tracing=at.tracing,
        )
        outcomes = OutcomeWriter(Backoff(settings.delivery.retry_base, settings.delivery.retry_cap))
        self._outcomes = OutcomeRecorder(
            bus=at.bus,
            committer=committer,
            writer=outcomes,
            recalled=RecalledWriter(at.registry, outcomes),
            on_settled=self._settled,
            tracing=at.tracing,
        )
        self._recaller = Recaller(registry=at.registry, bus=at.bus, clock=at.clock, origin=settings.origin)
        self._indexer = Indexer(store=at.ledger.store, committer=committer)
        self._reckoner = Reckoner(
            store=at.ledger.store,
            committer=committer,
            clock=at.clock,
            settings=settings.reconciliation,
            metrics=at.metrics,
        )
        self._deadlines = DeadlineWatch(
            store=at.ledger.store,
            committer=committer,
            clock=at.clock,
            on_ended=self._ended,
            on_unacknowledged=at.metrics.unacknowledged,
        )

        self._eraser = Eraser(
            store=at.ledger.store,
            committer=committer,
            contents=at.contents,
            clock=at.clock,
            metrics=at.metrics.erasures,
        )
        self._abandoned = AbandonedExports(
            store=at.ledger.store, contents=at.contents, committer=committer, clock=at.clock
        )

    async def start(self) -> None:
        """Sign the head as it is.

        Raises ``StoreError`` where the database is behind what was published, or what a witness has cosigned.
        """
        await self._witnessing.start()
        doubts = self._at.ledger.doubts
        if doubts.reason is not None and not doubts.only(SIGNER):
            raise StoreError(doubts.reason)
        try:
            await self.checkpoints.start()
        except AuditError as error:
            raise StoreError(error.reason) from error
        if self._at.forgetful:
            await self._at.ledger.committer.submit(ReopenWriter(), Reopening.ALL)
        await self.relay.start()
        await self._abandoned.start()

    async def run(self) -> None:
        """Work until ``stop``, or until cancelled. Raises what ended the term otherwise."""
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(self.relay.run()), tasks.create_task(self._outcomes.run())]
            at = self._at
            measuring = keep_measuring(self.relay, store=at.ledger.store, metrics=at.metrics, clock=at.clock)
            beside = (
                self._recaller.run(),
                self._deadlines.run(),
                self._reckoner.run(),
                self.checkpoints.run(),
                self._indexer.run(),
                self._eraser.run(),
                self._abandoned.run(),
                measuring,
                self._witnessing.run(),
            )
            watching = [tasks.create_task(task) for task in beside]
            if self._at.ledger.store.shared:
                watching.append(tasks.create_task(self._follow()))
            await asyncio.wait(working)
            for task in watching:
                task.cancel()

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when what is in hand is finished. Idempotent."""
        self.relay.stop()
        self._outcomes.stop()

    def routed(self, routes: Iterable[Route]) -> None:
        """Take note that dispatches were stored."""
        self.relay.routed(routes)

    def head_moved(self) -> None:
        """Take note that the log has grown."""
        self.checkpoints.head_moved()

    def _published(self, checkpoint: Checkpoint) -> None:
        self._witnessing.offer(checkpoint)

    async def _follow(self) -> None:
        """Hear of what other processes log, within milliseconds, until cancelled."""
        store, seen = self._at.ledger.store, None
        async for size in log_sizes(store):
            self.checkpoints.head_moved()
            async with store.reading() as connection:
                routes = await (pending_routes(connection) if seen is None else routes_since(connection, seen))
            self.relay.routed(routes)
            seen = size

    def _settled(self, report: OutcomeReport, outcome: Settled) -> None:
        self._at.metrics.settled(outcome, report)
        self.relay.settled(outcome)

    def _ended(self, outcome: Settled) -> None:
        self._at.metrics.settled(outcome)
        self.relay.settled(outcome)


class Relaying:
    """The role itself: terms, one after the other, each for as long as this process is the only one.

    It passes hints on to the term of the moment; between terms they are lost, and a new term looks everywhere.
    """

    def __init__(self, at: Workplace, leadership: Leadership) -> None:
        self._at = at
        self._leadership = leadership
        self._term: tuple[Term, Dispatching] | None = None
        self._stopping = asyncio.Event()
        at.metrics.follow_unanswered(self.unanswered)

    @property
    def active(self) -> bool:
        """Whether this process relays now."""
        return self._term is not None

    @property
    def bus_available(self) -> bool:
        """Whether the last publication went through; true where there was none."""
        return self._term is None or self._term[1].relay.bus_available

    def unanswered(self) -> Mapping[ParticipantId, int]:
        """Return how many parcels of each recipient have been on the bus for long and nobody reported on."""
        return {} if self._term is None else self._term[1].relay.unanswered()

    @property
    def latest(self) -> Checkpoint | None:
        """The checkpoint that this term published last."""
        return None if self._term is None else self._term[1].checkpoints.latest

    def routed(self, routes: Iterable[Route]) -> None:
        """Take note that dispatches were stored."""
        if self._term is not None:
            self._term[1].routed(routes)

    def head_moved(self) -> None:
        """Take note that the log has grown."""
        if self._term is not None:
            self._term[1].head_moved()

    async def begin(self) -> None:
        """Wait for a term, and start its work. Raises ``StoreError`` where the database must not be signed."""
        await self._start(await self._leadership.won())

    async def begin_if_free(self) -> None:
        """Start a term's work where no other process relays. Raises as ``begin``."""
        term = await self._leadership.won_at_once()
        if term is not None:
            await self._start(term)

    async def _start(self, term: Term) -> None:
        dispatching = Dispatching(self._at)
        try:
            await dispatching.start()
        except BaseException:
            await term.end()
            raise
        self._term = term, dispatching
        self._at.metrics.active(now=True)
        log.info("relay_active")

    async def run(self) -> None:
        """Relay whenever it is this process's turn, until ``stop``. Raises what the exchange must not survive."""
        while not self._stopping.is_set():
            try:
                if self._term is None and not await self._unless_stopped(self.begin()):
                    return
                await self._work()
            except* _PASSING as errors:
                if storage_failed(errors):
                    raise
                log.warning("relay_interrupted", errors=sorted({type(each).__name__ for each in leaves(errors)}))
                await self._unless_stopped(asyncio.sleep(PAUSE))

    def stop(self) -> None:
        """Finish what is in hand, and let ``run`` return. Idempotent."""
        self._stopping.set()

    async def close(self) -> None:
        """Give up a term that was begun and never worked. Idempotent."""
        if self._term is not None:
            (term, _), self._term = self._term, None
            await term.end()

    async def _work(self) -> None:
        """Work for one term: to its end, to its loss, or until stopped."""
        if self._term is None:
            return
        term, dispatching = self._term
        working = asyncio.create_task(dispatching.run(), name="relay")
        losing = asyncio.create_task(term.lost(), name="leadership")
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({working, losing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not losing.done():
                dispatching.stop()
                await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if losing.done():
                log.warning("relay_lost_its_lock")
            if working.done():
                await working
        finally:
            self._term = None
            self._at.metrics.active(now=False)
            for task in (working, losing, stopping):
                task.cancel()
            await asyncio.gather(working, losing, stopping, return_exceptions=True)
            await term.end()

    async def _unless_stopped(self, waiting_for: Coroutine[Any, Any, None]) -> bool:
        """Wait for something; say whether it came before this was stopped."""
        task, stopping = asyncio.create_task(waiting_for), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            await task
            return True
        finally:
            for each in (task, stopping):
                each.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group, however deep; of any other error, itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def storage_failed(error: BaseException) -> bool:
    """Say whether an error, or one in a group, means that nothing the storage holds may be assumed."""
    return any(is_storage_failure(each) for each in leaves(error))


_PASSING = (SQLAlchemyError, LogUnavailableError, *DRIVER_TROUBLE)
"""What a database that is away for a while raises: the term is over, and there may be another."""
