"""An exchange that several processes found at once, on one database."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from gateway.clock import system_clock
from gateway.log.ledger import open_ledger
from gateway.roles.founding import found
from gateway.store.engine import open_postgres
from lacolle.contents import contents_of
from lacolle.folder import read_folder
from lacolle.samples import WorldOptions, build_world

_PROCESSES = 4


async def test_processes_found_an_exchange_together(tmp_path: Path, postgres_database: str) -> None:
    """Started at once on an empty database, none is refused for what another was faster with, and all agree.

    Each takes the agreements in another order, so that it meets the others' while it writes its own.
    """
    folder = read_folder(build_world(tmp_path / "world", WorldOptions()).folder)
    async with AsyncExitStack() as stack:
        ledgers = []
        for _ in range(_PROCESSES):
            ledger = await open_ledger(
                open_postgres(postgres_database),
                contents=contents_of(folder.settings, folder.path),
                words_days=folder.settings.retention.log_words_days,
                signer=folder.keys.log,
                clock=system_clock,
                randomness=os.urandom,
            )
            stack.push_async_callback(ledger.close)
            ledgers.append(ledger)
        named = deque(folder.founding.agreements.items())
        foundings = []
        for _ in ledgers:
            foundings.append(replace(folder.founding, agreements=dict(named)))
            named.rotate()
        founded = await asyncio.gather(
            *(
                found(ledger, each, clock=system_clock, own=folder.keys.kids)
                for ledger, each in zip(ledgers, foundings, strict=True)
            )
        )
        for each in founded:
            assert {agreement.signed.document.id for agreement in each.registry.agreements} == {
                "ca-qc.us-me.law-enforcement",
                "ca-qc.us-ny.crime-2008",
                "ca-qc.us-vt.law-enforcement",
                "eastern-border-health-initiative",
            }
