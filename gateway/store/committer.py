"""The one writer of a gateway process.

Requests compute all they can on their own, submit a small item, and wait for the transaction that carries it. While
one transaction is being written, or another process holds the log, the next items gather; a lone item commits at once.
In a batch each ``Writer`` sees all of its items together, in the order in which they came, and appends to the one open
log batch, so the index an item gets is final when its transaction commits and never existed when it does not.

What a caller may rely on: ``submit`` returns only after the commit; whatever it raises, nothing of its item is stored
(or, for ``LogUnavailableError`` alone, the outcome is unknown to the caller and the same item may be submitted again).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from audit.errors import LogStateError
from audit.log import LogBatch, lock_head
from gateway.errors import GatewayError, LogUnavailableError, OvertakenError, StoreError
from gateway.sealing.words import NewKeeper
from gateway.store.engine import is_storage_failure, is_unavailable
from schemas.bilingual import Bilingual

log = structlog.get_logger(__name__)

LINGER = 0.02
"""Seconds that a batch waits at most for what is being prepared already."""

HELD_FOR = 10.0
"""Seconds after which whoever was refused because the log is in doubt may ask again."""

PACE = 0.01
"""Seconds from the beginning of one batch to that of the next, at least: one item alone is written at once, and a few
hundred a second share transactions, each of which costs several times as much as an item."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
ItemT_contra = TypeVar("ItemT_contra", contravariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Batch:
    """An open transaction: its connection, its log batch, its instant and its source of randomness.

    ``after_commit`` takes what is to happen in memory once the transaction stands, whether or not the callers still
    wait for it.
    """

    connection: AsyncConnection
    log: LogBatch
    now: datetime
    randomness: Callable[[int], bytes]
    after_commit: list[Callable[[], None]] = field(default_factory=list)

    @property
    def now_ms(self) -> int:
        """The batch's instant in milliseconds since the Unix epoch."""
        return (self.now - _EPOCH) // _MILLISECOND


class Standing(Protocol):
    """What items are decided by, and other processes may change: it has a version, and can be brought up to date."""

    @property
    def version(self) -> int:
        """How far it has come, as far as this process knows."""
        ...

    async def refresh(self, connection: AsyncConnection) -> None:
        """Take what is new, by a connection that holds the log's head. Raises what makes further writing unsafe."""
        ...


class Writer(Protocol[ItemT_contra, ResultT_co]):
    """One kind of write. It runs inside the transaction and never commits."""

    async def write(
        self, batch: Batch, items: Sequence[ItemT_contra]
    ) -> Sequence[ResultT_co | GatewayError | OvertakenError]:
        """Write the items and return, for each and in order, its result or the error its caller gets.

        ``OvertakenError`` says that what an item was decided by has moved, and it is to be decided anew. An item
        with an error must have written nothing. Any exception rolls the whole batch back.
        """
        ...


@dataclass(slots=True, eq=False)
class _Waiting(Generic[ItemT, ResultT]):
    writer: Writer[ItemT, ResultT]
    item: ItemT
    decided_at: int | None = None
    future: asyncio.Future[ResultT] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, result: ResultT | BaseException) -> None:
        if self.future.done():  # its caller was cancelled, and the write stands all the same
            return
        if isinstance(result, BaseException):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class _Preparations:
    """How many items are being prepared, each for as long as the block lasts that counts it."""

    __slots__ = ("_on_left", "number")

    def __init__(self, on_left: Callable[[], None]) -> None:
        self.number = 0
        self._on_left = on_left

    def __enter__(self) -> None:
        self.number += 1

    def __exit__(self, *_error: object) -> None:
        self.number -= 1
        self._on_left()


class Committer:
    """Gathers items into transactions, one at a time.

    ``new_keeper`` makes, for each, who keeps what its entries withhold; without one no such entry is written.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        clock: Callable[[], datetime],
        randomness: Callable[[int], bytes],
        new_keeper: NewKeeper | None = None,
        max_batch: int = 256,
        max_waiting: int = 4096,
        observe: Callable[[int, float], None] = lambda _items, _seconds: None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._randomness = randomness
        self._new_keeper = new_keeper
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self.observe = observe
        self.standing: Standing | None = None
        self._waiting: list[_Waiting[Any, Any]] = []
        self._wake = asyncio.Event()
        self._preparing = _Preparations(self._let_go)
        self._enough = asyncio.Event()
        self._began = -PACE
        self._failure: BaseException | None = None
        self._closing = False
        self._held: Bilingual | None = None

    @property
    def failure(self) -> BaseException | None:
        """What ended this committer, if anything did: storage that failed, or a log that is not as it must be."""
        return self._failure

    async def submit(self, writer: Writer[ItemT, ResultT], item: ItemT, *, decided_at: int | None = None) -> ResultT:
        """Write one item and return its result after the commit.

        ``decided_at`` is the version of what the item was decided by: where that has moved when the batch holds the
        log, by whichever process, nothing is stored and ``OvertakenError`` says that it is to be decided anew.
        Raises ``LogUnavailableError`` where the log can't be appended, and what the writer answered for the item.
        """
        if self._held is not None:
            raise LogUnavailableError(HELD_FOR, reason=self._held)
        if self._failure is not None or self._closing or len(self._waiting) >= self._max_waiting:
            raise LogUnavailableError
        waiting = _Waiting(writer=writer, item=item, decided_at=decided_at)
        self._waiting.append(waiting)
        self._wake.set()
        self._let_go()
        return await waiting.future

    def hold(self, reason: Bilingual | None) -> None:
        """Take nothing on while there is a reason; what waits already is refused as well. None lifts it."""
        self._held = reason
        if reason is not None:
            _refuse(self._waiting)

    async def run(self) -> None:
        """Write batches until ``close``. Raises the failure that makes further writing unsafe."""
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._gather()
                await self._commit(self._taken(self._max_batch), filling=True)
                if self._failure is not None:
                    _refuse(self._waiting)
                    raise self._failure

    def preparing(self) -> AbstractContextManager[None]:
        """Say, for as long as the block lasts, that an item is being prepared and will be submitted soon.

        The next batch waits for it, a few milliseconds at most: a transaction costs the same for one item or for many.
        """
        return self._preparing

    async def _gather(self) -> None:
        clock = asyncio.get_running_loop().time
        pause = self._began + PACE - clock()
        if pause > 0 and not self._closing:
            await asyncio.sleep(pause)
        if self._worth_waiting():
            self._enough.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._enough.wait()
        self._began = clock()

    def _worth_waiting(self) -> bool:
        return len(self._waiting) < min(self._preparing.number, self._max_batch)

    def _let_go(self) -> None:
        if not self._worth_waiting():
            self._enough.set()

    def close(self) -> None:
        """Take nothing more; ``run`` returns when what waits is written."""
        self._closing = True
        self._wake.set()

    def _taken(self, most: int) -> list[_Waiting[Any, Any]]:
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken

    async def _commit(self, chosen: list[_Waiting[Any, Any]], *, filling: bool = False) -> None:
        """Write a batch; one that is ``filling`` takes with it what comes while another process holds the log."""
        started = asyncio.get_running_loop().time()
        try:
            batch, results = await self._write(chosen, filling=filling)
        except Exception as error:  # noqa: BLE001 - every failure of a batch is classified in one place
            await self._failed(chosen, error)
            return
        followed = [_attempt(act) for act in batch.after_commit]
        for waiting, result in zip(chosen, results, strict=True):
            waiting.settle(result)
        if not all(followed):
            await self._catch_up()
        self.observe(len(chosen), asyncio.get_running_loop().time() - started)

    async def _catch_up(self) -> None:
        """Take from the database what memory did not follow. Where that can't be either, no batch can be written."""
        if self.standing is None:
            return
        try:
            async with self._engine.begin() as connection:
                await lock_head(connection)
                await self.standing.refresh(connection)
        except Exception as error:  # noqa: BLE001 - classified as a batch's failures are, and every batch tries it again
            await self._failed([], error)

    async def _write(self, chosen: list[_Waiting[Any, Any]], *, filling: bool) -> tuple[Batch, list[object]]:
        async with self._engine.begin() as connection:
            frontier = await lock_head(connection)
            now = self._clock()  # not before: times follow the log's order, and nothing was received after it
            if filling:
                chosen += self._taken(self._max_batch - len(chosen))
            results: list[object] = [None] * len(chosen)
            keeper = None if self._new_keeper is None else self._new_keeper(now, self._randomness)
            log_batch = LogBatch(connection, frontier=frontier, now=now, randomness=self._randomness, keeper=keeper)
            batch = Batch(connection=connection, log=log_batch, now=now, randomness=self._randomness)
            if self.standing is not None:
                await self.standing.refresh(connection)
            for places in self._groups(chosen, results):
                items = [chosen[place].item for place in places]
                answers = await chosen[places[0]].writer.write(batch, items)
                for place, answer in zip(places, answers, strict=True):
                    results[place] = answer
            await log_batch.write()
        return batch, results

    def _groups(self, chosen: list[_Waiting[Any, Any]], results: list[object]) -> list[list[int]]:
        """Return the places of the items of each writer; what was decided by what has moved since is answered so."""
        groups: dict[int, list[int]] = {}
        for place, waiting in enumerate(chosen):
            if self.standing is None or waiting.decided_at in (None, self.standing.version):
                groups.setdefault(id(waiting.writer), []).append(place)
            else:
                results[place] = OvertakenError()
        return list(groups.values())

    async def _failed(self, chosen: list[_Waiting[Any, Any]], error: Exception) -> None:
        if is_storage_failure(error) or isinstance(error, (LogStateError, StoreError)):
            self._fail(chosen, error)
            return
        if len(chosen) > 1 and not is_unavailable(error):
            await self._commit_one_by_one(chosen)
            return
        log.error("batch_failed", items=len(chosen), error=type(error).__name__)
        # what the database refuses, it refuses again: only who could not reach it is told to come back
        passing = is_unavailable(error)
        for waiting in chosen:
            waiting.settle(LogUnavailableError() if passing else error)

    async def _commit_one_by_one(self, chosen: list[_Waiting[Any, Any]]) -> None:
        """Give each item a transaction of its own, for one of them may have spoilt its neighbours' batch."""
        for place, waiting in enumerate(chosen):
            await self._commit([waiting])
            if self._failure is not None:
                _refuse(chosen[place + 1 :])
                return

    def _fail(self, chosen: list[_Waiting[Any, Any]], error: Exception) -> None:
        log.critical("storage_failed", error=type(error).__name__)
        self._failure = error
        _refuse(chosen)


def _attempt(act: Callable[[], None]) -> bool:
    """Do what follows a commit, and say whether that went well; the transaction stands, and so do its callers' answers.

    What memory did not follow it takes from the database again: the registry at once (``Standing.refresh``), a relay
    when it next looks everywhere.
    """
    try:
        act()
    except Exception as error:  # noqa: BLE001 - it may be anything, and none of it is worth the writer
        name = type(error).__name__  # alone: a message or a traceback may repeat what was written
        log.critical("after_commit_failed", error=name)
        return False
    return True


def _refuse(waiting: list[_Waiting[Any, Any]]) -> None:
    for each in waiting:
        each.settle(LogUnavailableError())
    waiting.clear()
