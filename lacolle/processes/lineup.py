"""Parts of one process that live and end together, and the signals that end them.

A stop goes through the parts in their order, each finishing what is in hand before the next is told: first those who
take things on, last those whom they need for it. All of it has a bounded time; a second signal ends the process at
once.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

COLLECT_AFTER: Final = (50_000, 20, 50)
"""When Python looks for cycles. Requests leave hardly any; at the default rate, looking takes a third of all time."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
MARGIN: Final = 2.0
"""Seconds beyond the grace period after which what has still not ended is cut off."""
CLOSES_WITHIN: Final = 10.0
"""Seconds for leaving the bus and the database afterwards, whatever state they are in."""


class Part(Protocol):
    """What a process is made of."""

    async def run(self) -> None:
        """Work until ``stop``, finish what is in hand, and return. Raises what made it end by itself."""
        ...

    def stop(self) -> None:
        """Take nothing more on. Idempotent."""
        ...


class Lineup:
    """Parts in the order in which they are stopped; itself a part."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Stop the parts one after the other. Idempotent."""
        self._stopping.set()

    async def run(self) -> None:
        """Run all parts until ``stop``, or until one of them ends. Raises what it ended with."""
        running = [asyncio.create_task(part.run(), name=type(part).__name__) for part in self._parts]
        told = asyncio.create_task(self._told())
        try:
            ended, _ = await asyncio.wait({*running, told}, return_when=asyncio.FIRST_COMPLETED)
            for part, task in zip(self._parts, running, strict=True):
                part.stop()
                await asyncio.wait({task})
            for task in (*ended, *running):
                task.result()
        finally:
            told.cancel()
            for part, task in zip(self._parts, running, strict=True):
                part.stop()  # also where this was cancelled: a server that was not told waits for its clients
                task.cancel()
            await asyncio.gather(told, *running, return_exceptions=True)

    async def _told(self) -> None:
        await self._stopping.wait()


async def run_until_told(
    part: Part, *, grace: float, orphaned: int | None = None, closing: float = CLOSES_WITHIN
) -> None:
    """Run a part as ``run_while_told`` does; then what is to be closed afterwards gets ``closing`` seconds.

    Beyond these the process ends where it stands: what was promised is stored, and the rest begins anew.
    """
    try:
        await run_while_told(part, grace=grace, orphaned=orphaned)
    finally:
        asyncio.get_running_loop().call_later(closing, _end)  # unless the loop has ended by then


async def run_while_told(part: Part, *, grace: float, orphaned: int | None = None) -> None:
    """Run a part until SIGINT, SIGTERM, or until the pipe ``orphaned`` is closed at its other end.

    What is in hand then gets ``grace`` seconds. Beyond these, and at a second signal, the process ends where it stands.
    """
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(part.run(), name="process")
    stop = _Stop(part, lambda: loop.call_later(grace + MARGIN, _cut_off, running))
    for each in SIGNALS:
        loop.add_signal_handler(each, stop.told, each)
    if orphaned is not None:
        loop.add_reader(orphaned, stop.orphaned, orphaned)
    try:
        await running
    except asyncio.CancelledError:
        if not stop.begun:
            raise
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)
        if orphaned is not None:
            loop.remove_reader(orphaned)


def spare_collections() -> None:
    """Leave what start-up made out of the search for cycles, and search seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


class _Stop:
    """The first word ends gracefully, the second at once."""

    def __init__(self, part: Part, begin: Callable[[], object]) -> None:
        self._part = part
        self._begin = begin
        self.begun = False

    def told(self, what: signal.Signals) -> None:
        if self.begun:
            log.warning("stopped_at_once", signal=what.name)
            os._exit(128 + what)
        log.info("stopping", signal=what.name)
        self._stop()

    def orphaned(self, pipe: int) -> None:
        asyncio.get_running_loop().remove_reader(pipe)
        if not self.begun:
            log.warning("stopping_without_parent")
            self._stop()

    def _stop(self) -> None:
        self.begun = True
        self._begin()
        self._part.stop()


def _end() -> None:
    log.warning("closing_over")
    os._exit(os.EX_SOFTWARE)


def _cut_off(running: asyncio.Task[None]) -> None:
    log.warning("grace_over")
    running.cancel()
