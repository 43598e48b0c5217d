"""Replaying past traffic through a draft: pages come from the database, and processes beside this one look at them.

No more pages are in hand than there are processes, and two to come, so memory does not grow with the traffic. Nothing
is sent, and nothing is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Final

from agreements.document import Agreement
from agreements.simulation import Findings, Worlds
from gateway.errors import InvalidQueryError, SimulationBusyError
from gateway.examining import Examination, StoredAlert, examine_prepared, prepare
from gateway.sealing.contents import Contents
from gateway.store.engine import Store
from gateway.store.history import Stretch, count_alerts, pages
from gateway.store.reader import Reader
from gateway.trust.registry import CurrentRegistry
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId

SAMPLES: Final = 10
"""How many of the alerts that change are named."""


MOST: Final = 20_000
"""How many past alerts one request may ask about: some ten seconds of one processor."""
LONGEST: Final = 60.0
"""Seconds that a request's simulation may take."""


class Simulations:
    """The use case of ``POST /v1/agreements/simulate``: one simulation at a time, by one process beside this one."""

    def __init__(self, registry: CurrentRegistry, store: Store, contents: Contents) -> None:
        self._registry = registry
        self._store = store
        self._contents = contents
        self._turn = asyncio.Lock()

    async def run(self, draft: Agreement, stretch: Stretch) -> Findings:
        """Return what a draft would have done with the alerts of a stretch that its reader may see.

        Raises ``SimulationBusyError`` while another is under way, and ``InvalidQueryError`` where the stretch has more
        than ``MOST`` alerts or takes longer than ``LONGEST``.
        """
        if self._turn.locked():
            raise SimulationBusyError
        async with self._turn:
            if await count_alerts(self._store, stretch, most=MOST + 1) > MOST:
                raise InvalidQueryError(_TOO_MANY)
            worlds = Worlds.of(self._registry.snapshot.candidates, self._registry.counting, draft)
            try:
                async with asyncio.timeout(LONGEST):
                    return await simulate_past(
                        self._store, self._contents, worlds, stretch, workers=1, progress=_unwatched
                    )
            except TimeoutError:
                raise InvalidQueryError(_TOO_MANY) from None


async def simulate_past(
    store: Store,
    contents: Contents,
    worlds: Worlds,
    stretch: Stretch,
    *,
    workers: int,
    progress: Callable[[int], None],
) -> Findings:
    """Return what a draft would have done with the alerts of a stretch, beside what was in force.

    ``workers`` processes share the work; ``progress`` is told how many alerts were looked at so far.
    """
    findings = Findings()
    with _pool(Examination(worlds, _own(stretch.reader, worlds), SAMPLES), workers) as pool:
        async for found in _examined(pages(store, contents, stretch), pool, ahead=workers + 1):
            findings.add(found, samples=SAMPLES)
            progress(findings.alerts + findings.unreadable + findings.unknown)
    return findings


async def _examined(
    past: AsyncIterator[Sequence[StoredAlert]], pool: ProcessPoolExecutor, *, ahead: int
) -> AsyncIterator[Findings]:
    """Yield what was found of each page, in their order."""
    loop = asyncio.get_running_loop()
    looking: deque[asyncio.Future[Findings]] = deque()
    async for page in past:
        looking.append(loop.run_in_executor(pool, examine_prepared, page))
        if len(looking) > ahead:
            yield await looking.popleft()
    while looking:
        yield await looking.popleft()


@contextmanager
def _pool(examination: Examination, workers: int) -> Iterator[ProcessPoolExecutor]:
    # spawned: a fork would copy the threads' locks of a process that serves
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=prepare, initargs=(examination,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _own(reader: Reader | None, worlds: Worlds) -> frozenset[ParticipantId]:
    """Return the recipients that a reader speaks for."""
    if reader is None:
        return frozenset()
    if not reader.auditor:
        return frozenset({reader.participant})
    return frozenset(who for who, home in worlds.before.candidates if home == reader.jurisdiction)


def _unwatched(_done: int) -> None:
    """Let nobody know how far it is: the answer comes whole."""


_TOO_MANY: Final = Bilingual(
    fr=f"la période compte plus de {MOST} alertes, ou prend trop de temps : choisissez-en une plus courte",
    en=f"the stretch has more than {MOST} alerts, or takes too long: choose a shorter one",
)
