"""A whole exchange in one process: the gateway role and the relay role over one ledger.

``open_exchange`` does everything that can fail before the first request is taken: the schema, the pins, every signature
in the registry, and, where nobody else may relay, the last published checkpoint. ``Exchange.run`` then keeps both
going; when either fails the exchange stops, because an exchange without its log, relay or deadlines is not one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from audit.checkpoints import PublishedState
from bus.contract import Bus
from gateway.clock import Clock
from gateway.leadership import Leadership, Unopposed
from gateway.log.ledger import Ledger, open_ledger
from gateway.log.witness_calls import AskWitness, asks_nobody
from gateway.roles.apart import relay_bus_check, witnesses_parts
from gateway.roles.dispatching import Relaying, Workplace
from gateway.roles.founding import Founding, found
from gateway.roles.front import ExchangeKeys, Front, Surroundings
from gateway.roles.sharing import Sharing
from gateway.sealing.contents import Contents
from gateway.settings.exchange import Settings
from gateway.store.engine import Store
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.vigil import Vigil
from gateway.watching.checks import adapters_check, agreements_check, bus_here
from gateway.watching.health import Check
from gateway.watching.metrics import RelayMetrics, new_registry
from schemas.tracing import UNTRACED, Tracing


@dataclass(frozen=True, slots=True)
class Exchange:
    """A running exchange: its application, and what is behind it; ``sharing`` where other processes write too."""

    front: Front
    registry: CurrentRegistry
    vigil: Vigil
    relaying: Relaying
    ledger: Ledger
    sharing: Sharing | None

    async def run(self) -> None:
        """Keep the exchange going until ``stop``. Raises what ended it otherwise."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(part.run()) for part in (self.ledger, self.front, self.vigil)]
            if self.sharing is not None:
                beside.append(tasks.create_task(self.sharing.run()))
            await tasks.create_task(self.relaying.run())
            for task in beside:
                task.cancel()

    def stop(self) -> None:
        """Begin nothing new; ``run`` returns when what is in hand is finished. Idempotent."""
        self.relaying.stop()

    async def close(self) -> None:
        """Write what waits, then close the database."""
        await self.relaying.close()
        await self.ledger.close()
        await self.front.close()


async def open_exchange(
    settings: Settings,
    *,
    store: Store,
    bus: Bus,
    keys: ExchangeKeys,
    contents: Contents,
    founding: Founding,
    published: PublishedState,
    clock: Clock,
    randomness: Callable[[int], bytes],
    leadership: Leadership | None = None,
    forgetful: bool = True,
    bus_look: Check = bus_here,
    tracing: Tracing | None = None,
    operator: bool = False,
    ask: AskWitness = asks_nobody,
) -> Exchange:
    """Return an exchange that is ready to run.

    Without a contest for ``leadership`` it is alone on its database; ``forgetful`` says that the bus forgets when its
    process ends, ``bus_look`` looks at it, ``ask`` asks the witnesses, and with an ``operator`` health in full and
    metrics have a listener of their own. Raises ``StoreError`` where database and founding documents don't go together,
    or where the database is behind what was published or cosigned.
    """
    ledger = await open_ledger(
        store,
        contents=contents,
        words_days=settings.retention.log_words_days,
        signer=keys.log,
        clock=clock,
        randomness=randomness,
        tracing=tracing,
    )
    metrics = new_registry()
    try:
        founded = await found(ledger, founding, clock=clock, own=keys.kids)
    except BaseException:
        await ledger.close()
        raise
    workplace = Workplace(
        settings=settings,
        ledger=ledger,
        registry=founded.registry,
        bus=bus,
        signer=keys.log,
        contents=contents,
        copies=keys.copies,
        published=published,
        metrics=RelayMetrics(metrics),
        clock=clock,
        tracing=UNTRACED if tracing is None else tracing,
        forgetful=forgetful,
        ask=ask,
    )
    relaying = Relaying(workplace, leadership or Unopposed())
    try:
        sharing = None if leadership is None else Sharing(ledger.store, ledger.doubts, founded.follower)
        around = Surroundings(
            contents=contents,
            checkpoints=sharing or relaying,
            hints=relaying,
            bus=relay_bus_check(bus_look, relaying),
            parts=(
                ("adapters", adapters_check(relaying.unanswered)),
                ("agreements", agreements_check(founded.registry)),
                *witnesses_parts(settings, ledger, clock),
            ),
            clock=clock,
            randomness=randomness,
            tracing=tracing,
            operator=operator,
        )
        front = Front(settings, ledger=ledger, founded=founded, keys=keys, metrics=metrics, around=around)
        if sharing is None:
            await relaying.begin()
        else:
            await relaying.begin_if_free()  # so that what was founded is signed before the first request
            await sharing.start()
            await sharing.require_memory(published)
        await front.start()
    except BaseException:
        await relaying.close()
        await ledger.close()
        raise
    return Exchange(front, founded.registry, founded.vigil, relaying, ledger, sharing)
