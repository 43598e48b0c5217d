"""The all-in-one node: gateway, relay and adapters of one exchange in one process.

On SQLite and the in-process bus, unless the settings name others: then other processes may serve the same exchange.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing

import structlog

from adapters.metrics import AdapterMetrics
from adapters.registry import PartnerProfile
from audit.checkpoints import PublishedState
from bus.topics import OUTCOMES, adapter_group, parcels_topics
from gateway.clock import system_clock
from gateway.relaying.outcomes import GROUP
from gateway.roles.exchange import Exchange, open_exchange
from gateway.trust.registry import CurrentRegistry
from lacolle.contents import contents_of
from lacolle.door.server import Door
from lacolle.door.sockets import Address, bind, server_tls
from lacolle.folder import SETTINGS, ExchangeFolder
from lacolle.processes.adapters import https_sender, open_adapters
from lacolle.processes.awaiting import StoppedMeanwhileError, opened_once_reachable
from lacolle.processes.lag import LagCollector
from lacolle.processes.lineup import Lineup, Part, run_until_told, spare_collections
from lacolle.processes.machinery import OpenBus, asking_witnesses, open_bus, open_database
from lacolle.processes.operation import Operation, bound_operation, unready_parts
from lacolle.processes.telemetry import open_tracing
from schemas.tracing import UNTRACED

log = structlog.get_logger(__name__)


class Node:
    """A node whose parts are open and whose port is bound; ``run`` serves."""

    def __init__(self, address: Address, parts: Sequence[Part]) -> None:
        self.address = address
        self._lineup = Lineup(parts)

    async def run(self) -> None:
        """Serve until ``stop``. Raises what made the node end by itself."""
        spare_collections()
        await self._lineup.run()

    def stop(self) -> None:
        """Take no new request; ``run`` returns when what is in hand is finished. Idempotent."""
        self._lineup.stop()


@asynccontextmanager
async def open_node(
    folder: ExchangeFolder, *, insecure_http: bool, operation_port: int | None = None
) -> AsyncIterator[Node]:
    """Open everything that a folder's exchange is made of and yield it, ready to run.

    ``insecure_http`` lets a node without a certificate serve plain HTTP, on a loopback address alone. A database that
    other processes share is waited for where it is away. Raises ``ConfigurationError``, ``StoreError``, and
    ``StoppedMeanwhileError`` where the process is told to stop before.
    """
    settings, listen = folder.settings, folder.settings.listen
    async with AsyncExitStack() as stack:
        database = stack.enter_context(open_database(folder))
        contents = contents_of(settings, folder.path)
        tls = server_tls(folder, insecure_http=insecure_http)
        sender = https_sender(settings, folder.path, folder.keys.transport)
        tracing = stack.enter_context(open_tracing(settings.telemetry, role="serve"))
        opened = await stack.enter_async_context(open_bus(settings, folder.path))
        ask = await stack.enter_async_context(asking_witnesses(settings, folder.path))
        operator = stack.enter_context(bound_operation(settings, role="serve", port=operation_port))
        bound = stack.enter_context(closing(bind(listen.host, listen.port, setting=f"listen.port, {SETTINGS}")))

        async def open_() -> Exchange:
            return await open_exchange(
                settings,
                store=database.store,
                bus=opened.bus,
                keys=folder.keys,
                contents=contents,
                founding=folder.founding,
                published=PublishedState(folder.published_checkpoint),
                clock=system_clock,
                randomness=os.urandom,
                leadership=database.leadership,
                forgetful=opened.forgetful,
                bus_look=opened.look,
                tracing=tracing,
                operator=operator is not None,
                ask=ask,
            )

        def answering() -> list[Part]:
            return unready_parts(settings, operator=operator, door=(bound, tls))

        if database.store.shared:
            exchange = await opened_once_reachable(open_, listeners=answering, grace=settings.operation.grace)
        else:
            exchange = await open_()
        stack.push_async_callback(exchange.close)
        exchange.front.metrics.register(LagCollector(opened.lags))
        adapters = open_adapters(
            settings,
            folder.partners,
            directory=exchange.registry.participant,
            bus=opened.bus,
            sender=sender,
            tracing=tracing or UNTRACED,
            observer=AdapterMetrics(
                exchange.front.metrics, participants=[each.participant for each in folder.partners]
            ),
        )
        _say_who_has_no_adapter(folder.partners, exchange.registry)
        await _join_groups(folder.partners, opened)
        door = Door(exchange.front.app, bound=bound, tls=tls, settings=settings)
        parts: list[Part] = [door, adapters, exchange]
        if operator is not None:
            parts.append(Operation(operator, health=exchange.front.health, metrics=exchange.front.metrics))
        yield Node(Address.of(bound, tls=tls is not None), parts)


async def serve(folder: ExchangeFolder, *, insecure_http: bool, operation_port: int | None = None) -> None:
    """Run a folder's exchange until SIGINT or SIGTERM."""
    try:
        async with open_node(folder, insecure_http=insecure_http, operation_port=operation_port) as node:
            log.info("serving", address=str(node.address), origin=folder.settings.origin)
            await run_until_told(node, grace=folder.settings.operation.grace)
            log.info("stopped")
    except StoppedMeanwhileError:
        log.info("stopped")


def _say_who_has_no_adapter(partners: Sequence[PartnerProfile], registry: CurrentRegistry) -> None:
    """Name the receivers whose dispatches nobody here hands over; theirs stay on the bus until their deadline."""
    served = {profile.participant for profile in partners}
    receivers = {each.participant for each in registry.receivers}
    if without := sorted(receivers - served):
        log.warning("receivers_without_adapter", participants=without)


async def _join_groups(partners: Sequence[PartnerProfile], opened: OpenBus) -> None:
    """Let a bus that forgets know every group before the relay publishes: what comes before a first member is lost."""
    if not opened.forgetful:
        return
    groups = [(adapter_group(profile.participant), parcels_topics(profile.participant)) for profile in partners]
    for group, topics in [*groups, (GROUP, (OUTCOMES,))]:
        for topic in topics:
            subscription = await opened.bus.subscribe([topic], group=group)
            await subscription.close()
