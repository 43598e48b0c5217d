"""Sharing a verification among processes: each takes stretches of the log, and reads them by a connection of its own.

On PostgreSQL all of them see the state that the verifier's transaction sees, which it exports. SQLite can export none:
a process may see a later state of the log, whose entries, tiles and parties below the verifier's size are the same, for
nothing of the log is changed once it is written. A verifier that has written, and not committed, shares nothing.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from audit.stored import StoredLog
from audit.stretches import HEIGHT, Demanded, Recomputed, Stretches, recompute

Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a connection that only reads, in a transaction that sees one state. It is sent to processes: to be pickled."""

_SELDOM: Final = 200_000


@dataclass(frozen=True, slots=True)
class Sharing:
    """Among how many processes a verification is shared, and how each of them reads the database.

    Each takes 256^height entries at a time.
    """

    processes: int
    reading: Reading
    height: int = HEIGHT

    def worthwhile(self, stretches: int) -> bool:
        """Say whether so many stretches take longer than starting the processes."""
        return min(self.processes, stretches // 2) > 1


async def shared(
    connection: AsyncConnection, sharing: Sharing, demanded: Demanded, stretches: Stretches
) -> AsyncGenerator[Recomputed]:
    """Yield what the stretches, from one entry to before another, come to, in their order.

    Processes are a few stretches ahead, so that little is done in vain after a fault; they end with the iteration.
    """
    snapshot = await _exported(connection)
    loop, ahead = asyncio.get_running_loop(), deque[asyncio.Future[Recomputed]]()
    with _pool(sharing.processes) as pool:
        for start, stop in stretches:
            ahead.append(loop.run_in_executor(pool, _recomputed, sharing.reading, snapshot, demanded, (start, stop)))
            if len(ahead) > 2 * sharing.processes:
                yield await ahead.popleft()
        while ahead:
            yield await ahead.popleft()


async def _exported(connection: AsyncConnection) -> str | None:
    if connection.dialect.name != "postgresql":
        return None
    return str((await connection.exec_driver_sql("SELECT pg_export_snapshot()")).scalar_one())


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    # spawned: a fork would copy the locks of this process's threads
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_prepare)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare() -> None:
    """Leave an interruption to the process that shares, and look for cycles seldom: rows make none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(_SELDOM)


def _recomputed(reading: Reading, snapshot: str | None, demanded: Demanded, stretch: tuple[int, int]) -> Recomputed:
    return asyncio.run(_read(reading, snapshot, demanded, stretch))


async def _read(reading: Reading, snapshot: str | None, demanded: Demanded, stretch: tuple[int, int]) -> Recomputed:
    async with reading() as connection:
        if snapshot is not None:
            # takes no parameters; the name is PostgreSQL's own, of digits and hyphens
            await connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        return await recompute(StoredLog(connection), demanded, *stretch)
