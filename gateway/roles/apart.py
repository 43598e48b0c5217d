"""The gateway role and the relay role as processes of their own, on a database that they share.

Each is opened whole before it takes anything on, has ``run`` and ``stop``, and knows how to say how it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from audit.checkpoints import PublishedState
from bus.contract import Bus
from gateway.clock import Clock
from gateway.leadership import Leadership
from gateway.log.ledger import Ledger, open_ledger
from gateway.log.witness_calls import AskWitness, asks_nobody
from gateway.relaying.hints import Nobody
from gateway.roles.dispatching import Relaying, Workplace
from gateway.roles.founding import Founding, found, found_read_only
from gateway.roles.front import ExchangeKeys, Front, Surroundings, follow_ledger
from gateway.roles.sharing import Sharing
from gateway.sealing.contents import Contents
from gateway.settings.exchange import Settings
from gateway.store.engine import Store
from gateway.trust.registry import CurrentRegistry
from gateway.upkeep.vigil import Vigil
from gateway.watching.checks import (
    adapters_check,
    agreements_check,
    content_check,
    database_check,
    log_check,
    log_signer_check,
    witnesses_check,
)
from gateway.watching.health import Check, Condition, Finding, Health
from gateway.watching.metrics import RelayMetrics, new_registry
from schemas.tracing import UNTRACED, Tracing


@dataclass(frozen=True, slots=True)
class Means:
    """What every role has of the machine: its store, the contest for relaying, clock, chance, and who records spans.

    ``bus`` looks at the bus; ``operator`` says that health in full and metrics have a listener of their own.
    """

    store: Store
    contents: Contents
    leadership: Leadership
    bus: Check
    clock: Clock
    randomness: Callable[[int], bytes]
    tracing: Tracing | None
    operator: bool
    ask: AskWitness = asks_nobody


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway role: its application, the ledger behind it, and its share in the log."""

    front: Front
    ledger: Ledger
    sharing: Sharing
    vigil: Vigil
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep writing and following until ``stop``. Raises what made writing unsafe."""
        async with asyncio.TaskGroup() as tasks:
            parts = (self.ledger, self.front, self.sharing, self.vigil)
            beside = [tasks.create_task(part.run()) for part in parts]
            await self.stopping.wait()
            for task in beside:
                task.cancel()

    def stop(self) -> None:
        """Let ``run`` return; nothing is taken on by the time that this is called. Idempotent."""
        self.stopping.set()

    async def close(self) -> None:
        """Write what waits, then close the database."""
        await self.ledger.close()
        await self.front.close()


async def open_gateway(settings: Settings, *, keys: ExchangeKeys, founding: Founding, means: Means) -> Gateway:
    """Return a gateway that is ready to answer.

    Raises ``StoreError`` where database and founding documents don't go together.
    """
    ledger = await open_ledger(
        means.store,
        contents=means.contents,
        words_days=settings.retention.log_words_days,
        signer=keys.log,
        clock=means.clock,
        randomness=means.randomness,
        tracing=means.tracing,
    )
    try:
        founded = await found(ledger, founding, clock=means.clock, own=keys.kids)
        sharing = Sharing(ledger.store, ledger.doubts, founded.follower)
        await sharing.start()
        around = Surroundings(
            contents=means.contents,
            checkpoints=sharing,
            hints=Nobody(),
            bus=means.bus,
            clock=means.clock,
            randomness=means.randomness,
            tracing=means.tracing,
            operator=means.operator,
            parts=(("agreements", agreements_check(founded.registry)), *witnesses_parts(settings, ledger, means.clock)),
        )
        front = Front(settings, ledger=ledger, founded=founded, keys=keys, metrics=new_registry(), around=around)
        await front.start()
    except BaseException:
        await ledger.close()
        raise
    return Gateway(front, ledger, sharing, founded.vigil)


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """The relay role: active for as long as it holds the lock, standing by otherwise."""

    relaying: Relaying
    ledger: Ledger
    sharing: Sharing
    vigil: Vigil
    health: Health
    metrics: CollectorRegistry

    async def run(self) -> None:
        """Relay, or stand by, until ``stop``. Raises what the exchange must not survive."""
        async with asyncio.TaskGroup() as tasks:
            beside = [tasks.create_task(part.run()) for part in (self.ledger, self.sharing, self.vigil)]
            await tasks.create_task(self.relaying.run())
            for task in beside:
                task.cancel()

    def stop(self) -> None:
        """Finish what is in hand, and let ``run`` return. Idempotent."""
        self.relaying.stop()

    async def close(self) -> None:
        """Write what waits, then close the database."""
        await self.relaying.close()
        await self.ledger.close()


async def open_relay(
    settings: Settings,
    *,
    keys: ExchangeKeys,
    founding: Founding,
    bus: Bus,
    published: PublishedState,
    means: Means,
) -> RelayProcess:
    """Return a relay that is ready to contend; of ``founding`` it takes the jurisdictions alone.

    Raises ``StoreError`` where the database can't be an exchange's, or does not go with these jurisdictions.
    """
    ledger = await open_ledger(
        means.store,
        contents=means.contents,
        words_days=settings.retention.log_words_days,
        signer=keys.log,
        clock=means.clock,
        randomness=means.randomness,
    )
    metrics = new_registry()
    try:
        founded = await found_read_only(ledger, founding.jurisdictions)
        sharing = Sharing(ledger.store, ledger.doubts, founded.follower)
        await sharing.start()
        await sharing.require_memory(published)
        relaying = contending(
            settings,
            ledger=ledger,
            registry=founded.registry,
            keys=keys,
            bus=bus,
            published=published,
            metrics=metrics,
            means=means,
        )
    except BaseException:
        await ledger.close()
        raise
    follow_ledger(ledger, metrics, sharing, on_head_moved=relaying.head_moved)

    async def turn() -> Finding:
        return Finding(Condition.WORKING, "active" if relaying.active else "standing by")

    health = Health(
        (
            ("database", database_check(ledger), Condition.FAILING),
            ("signer", log_signer_check(keys.log), Condition.FAILING),
            ("log", log_check(ledger, sharing, means.clock), Condition.FAILING),
            ("bus", relay_bus_check(means.bus, relaying), Condition.DEGRADED),
            ("adapters", adapters_check(relaying.unanswered), Condition.DEGRADED),
            ("relay", turn, Condition.DEGRADED),
            ("agreements", agreements_check(founded.registry), Condition.DEGRADED),
            *((name, look, Condition.DEGRADED) for name, look in witnesses_parts(settings, ledger, means.clock)),
            ("content", content_check(means.contents), Condition.DEGRADED),
        )
    )
    return RelayProcess(relaying, ledger, sharing, founded.vigil, health, metrics)


def contending(
    settings: Settings,
    *,
    ledger: Ledger,
    registry: CurrentRegistry,
    keys: ExchangeKeys,
    bus: Bus,
    published: PublishedState,
    metrics: CollectorRegistry,
    means: Means,
) -> Relaying:
    """Return the relay role of a process that contends for it with others."""
    workplace = Workplace(
        settings=settings,
        ledger=ledger,
        registry=registry,
        bus=bus,
        signer=keys.log,
        contents=means.contents,
        copies=keys.copies,
        published=published,
        metrics=RelayMetrics(metrics),
        clock=means.clock,
        tracing=means.tracing or UNTRACED,
        forgetful=False,
        ask=means.ask,
    )
    return Relaying(workplace, means.leadership)


def witnesses_parts(settings: Settings, ledger: Ledger, clock: Clock) -> tuple[tuple[str, Check], ...]:
    """Return the look at the witnesses, where a policy says which must have cosigned."""
    policy = settings.witnesses.witness_policy
    return () if policy is None else (("witnesses", witnesses_check(ledger.store, policy, clock)),)


def relay_bus_check(reachable: Check, relaying: Relaying) -> Check:
    """Return a look at the bus that also counts what the last publication met."""

    async def look() -> Finding:
        return await reachable() if relaying.bus_available else Finding(Condition.DEGRADED, "unreachable")

    return look
