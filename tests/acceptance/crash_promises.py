"""What an exchange promised to everybody around it, kept while it is disturbed, and held against it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from audit.verify import VerifiedLog
from lacolle.folder import read_folder
from lacolle.samples import World
from tests.acceptance import crash_oracle
from tests.acceptance.crash_agencies import Agencies, Submission, client
from tests.acceptance.crash_partners import Partners
from tests.patience import PATIENCE

SETTLES_WITHIN: Final = 60.0 * PATIENCE
_CHECKPOINTS_EVERY: Final = 0.1
_LOOK: Final = 0.02


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells of; as long as a loaded machine may need."""
    async with asyncio.timeout(SETTLES_WITHIN):
        while not holds():  # noqa: ASYNC110 - agencies and partners tell nobody, and need not
            await asyncio.sleep(_LOOK)


@dataclass
class Promises:
    """The memory of agencies, partners and a witness of checkpoints.

    ``everybody`` shares one list of submissions, ``database`` is a file or a URL, ``notes`` are the checkpoints in the
    order in which they were given out, ``read`` is what the senders read last of their alerts, by identifier.
    """

    world: World
    database: Path | str
    partners: Partners
    everybody: Sequence[Agencies]
    notes: list[bytes] = field(default_factory=list)
    read: dict[str, dict[str, Any]] = field(default_factory=dict)
    threads: crash_oracle.Threads = field(default_factory=dict)
    _held: int = field(default=0, init=False)

    @property
    def submissions(self) -> list[Submission]:
        """Return all that was posted so far."""
        return self.everybody[0].submissions

    @property
    def answered(self) -> int:
        """Return how many alerts have a receipt."""
        return sum(each.answer is not None for each in self.submissions)

    @property
    def put_off(self) -> int:
        """Return how often the exchange asked to be tried again."""
        return sum(each.put_off for each in self.everybody)

    @property
    def cut_off(self) -> int:
        """Return how often nobody answered."""
        return sum(each.cut_off for each in self.everybody)

    @asynccontextmanager
    async def under_load(self, *, connections: int, pause: float) -> AsyncIterator[None]:
        """Have all agencies post on so many connections each for as long as the block lasts, then finish what is open.

        They go on after the block until there is an order to keep in threads of every kind.
        """
        for agencies in self.everybody:
            agencies.stopping = False
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch_checkpoints())
            for agencies in [*self.everybody] * connections:
                tasks.create_task(agencies.post(pause=pause))
            yield
            await self._threads_of_every_kind()
            for agencies in self.everybody:
                agencies.stopping = True
            watching.cancel()
        await self.everybody[0].finish()

    async def answers(self, count: int) -> None:
        """Wait until so many more alerts have a receipt."""
        wanted = self.answered + count
        await until(lambda: self.answered >= wanted)

    async def refusals(self, count: int) -> None:
        """Wait until everybody was asked so many more times to try again."""
        wanted = [each.put_off + count for each in self.everybody]
        await until(lambda: all(each.put_off >= least for each, least in zip(self.everybody, wanted, strict=True)))

    async def _threads_of_every_kind(self) -> None:
        await until(lambda: not crash_oracle.untried(self.submissions))

    async def _watch_checkpoints(self) -> None:
        """Keep every checkpoint that can be seen, until cancelled."""
        async with client(self.world) as connection:
            while True:
                with suppress(httpx2.TransportError):
                    await self._take_checkpoint(connection)
                await asyncio.sleep(_CHECKPOINTS_EVERY)

    async def hold(self, *, least: int) -> None:
        """Hold every promise against all that has happened; at least so many alerts were posted since the last time."""
        await self.hold_answers(least=least)
        await self.hold_log()

    async def hold_answers(self, *, least: int) -> None:
        """Every receipt is honoured, every entitled partner and nobody else has each alert, each thread in order."""
        fresh = [each for each in self.submissions if each.identifier not in self.read]
        assert len(fresh) >= least
        assert [trouble for agencies in self.everybody for trouble in agencies.trouble] == []
        self.read |= await crash_oracle.settled(self.world, fresh, within=SETTLES_WITHIN)
        await crash_oracle.receipts_are_honoured(self.world, fresh, self.read)
        crash_oracle.deliveries_are_right(self.submissions, self.read, self.partners.handed)
        assert self.partners.strays == []
        self.threads = crash_oracle.threads_are_in_order(self.submissions, self.read, self.partners.arrivals)

    async def hold_log(self) -> None:
        """Hold the log against what was posted: one, gapless, as all checkpoints have it; each alert is in it once."""
        await self.hold_public_log()
        await self.hold_stored_log()

    async def hold_public_log(self) -> int:
        """Hold what the public may fetch; return how many sizes of the log had a checkpoint since the last time."""
        async with client(self.world) as connection:
            await self._take_checkpoint(connection)
        await crash_oracle.public_log_verifies(self.world, self._vkey)
        fresh = self.notes[self._held :]  # the last that was held stands for those before it
        self._held = len(self.notes) - 1
        return await crash_oracle.checkpoints_are_consistent(self.world, self._vkey, fresh)

    async def hold_stored_log(self) -> VerifiedLog:
        """Hold what the database has, without the exchange."""
        stored = await crash_oracle.stored_log_verifies(self.database, self._vkey, self.notes)
        assert await crash_oracle.indices_are_gapless(self.database, self.submissions) == stored.size
        await crash_oracle.one_alert_each(self.database, self.submissions)
        return stored

    @property
    def _vkey(self) -> str:
        return read_folder(self.world.folder).keys.log.vkey

    async def _take_checkpoint(self, connection: httpx2.AsyncClient) -> None:
        response = await connection.get("/log/checkpoint", timeout=5.0)
        if response.status_code == httpx2.codes.OK and response.content not in self.notes[-1:]:
            self.notes.append(response.content)
