"""``lacolle relay``: one that is active, others that stand by."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

import structlog

from audit.checkpoints import PublishedState
from gateway.clock import system_clock
from gateway.roles.apart import Means, RelayProcess, open_relay
from lacolle.contents import contents_of
from lacolle.folder import ExchangeFolder
from lacolle.processes.awaiting import StoppedMeanwhileError, opened_once_reachable
from lacolle.processes.lag import LagCollector
from lacolle.processes.lineup import Lineup, Part, run_until_told
from lacolle.processes.machinery import (
    asking_witnesses,
    open_bus,
    open_shared_database,
    require_shared_bus,
    require_shared_database,
)
from lacolle.processes.operation import Operation, bound_operation, unready_parts
from lacolle.processes.telemetry import open_tracing

log = structlog.get_logger(__name__)


async def run_relay(folder: ExchangeFolder, *, operation_port: int | None = None) -> None:
    """Relay, or stand by, until told to stop; a database that is away is waited for.

    Raises ``ConfigurationError`` and ``StoreError``.
    """
    settings, grace = folder.settings, folder.settings.operation.grace
    require_shared_bus(settings)
    require_shared_database(settings)
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(open_tracing(settings.telemetry, role="relay"))
        operator = stack.enter_context(bound_operation(settings, role="relay", port=operation_port))
        ask = await stack.enter_async_context(asking_witnesses(settings, folder.path))
        opened = await stack.enter_async_context(open_bus(settings, folder.path))
        contents = contents_of(settings, folder.path)

        async def open_() -> RelayProcess:
            store, leadership = open_shared_database(folder)
            means = Means(
                store=store,
                contents=contents,
                leadership=leadership,
                bus=opened.look,
                clock=system_clock,
                randomness=os.urandom,
                tracing=tracing,
                operator=True,
                ask=ask,
            )
            return await open_relay(
                settings,
                keys=folder.keys,
                founding=folder.founding,
                bus=opened.bus,
                published=PublishedState(folder.published_checkpoint),
                means=means,
            )

        def answering() -> list[Part]:
            return unready_parts(settings, operator=operator, door=None)

        try:
            relay = await opened_once_reachable(open_, listeners=answering, grace=grace)
        except StoppedMeanwhileError:
            log.info("stopped", role="relay")
            return
        stack.push_async_callback(relay.close)
        relay.metrics.register(LagCollector(opened.lags))
        parts: list[Part] = [relay]
        if operator is not None:
            parts.append(Operation(operator, health=relay.health, metrics=relay.metrics))
        log.info("serving", role="relay", origin=settings.origin)
        await run_until_told(Lineup(parts), grace=grace)
    log.info("stopped", role="relay")
