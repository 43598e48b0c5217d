"""The roles as processes of their own: ``lacolle gateway``, ``lacolle relay``, ``lacolle adapters``.

Each opens all that can fail before it takes anything on, works until it is told to stop, and ends what it began.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog

from adapters.metrics import AdapterMetrics
from audit.checkpoints import PublishedState
from gateway.clock import system_clock
from gateway.health import Condition, Health
from gateway.metrics import new_registry
from gateway.roles import Means, open_gateway, open_relay
from lacolle.adapting import chosen_partners, https_sender, open_adapters
from lacolle.errors import ConfigurationError
from lacolle.folder import AdaptersFolder, ExchangeFolder
from lacolle.lag import LagCollector
from lacolle.lineup import Lineup, Part, run_until_told, spare_collections
from lacolle.machinery import bus_look, open_bus, open_shared_database, require_shared_bus, require_shared_database
from lacolle.node import Door
from lacolle.operation import Operation, bound_operation
from lacolle.telemetry import open_tracing
from schemas.bilingual import Bilingual
from schemas.tracing import UNTRACED

log = structlog.get_logger(__name__)


async def run_gateway(
    folder: ExchangeFolder,
    bound: socket.socket,
    *,
    tls: ssl.SSLContext | None,
    operation_port: int | None = None,
    worker: int = 0,
    alone: bool = True,
    orphaned: int | None = None,
) -> None:
    """Answer on a socket until told to stop, or until the pipe ``orphaned`` is closed at its other end.

    ``worker`` is this process's number among those that share the socket; where it is not ``alone``, metrics are on the
    operator's listener or nowhere. Raises ``ConfigurationError`` and ``StoreError``.
    """
    settings = folder.settings
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(open_tracing(settings.telemetry, role="gateway"))
        operator = stack.enter_context(bound_operation(settings, role="gateway", port=operation_port, offset=worker))
        store, leadership = open_shared_database(folder)
        means = Means(
            store=store,
            leadership=leadership,
            bus=bus_look(settings, folder.path),
            clock=system_clock,
            randomness=os.urandom,
            tracing=tracing,
            operator=operator is not None or not alone,
        )
        gateway = await open_gateway(settings, keys=folder.keys, founding=folder.founding, means=means)
        stack.push_async_callback(gateway.close)
        parts: list[Part] = [Door(gateway.front.app, bound=bound, tls=tls, settings=settings), gateway]
        if operator is not None:
            parts.append(Operation(operator, health=gateway.front.health, metrics=gateway.front.metrics))
        spare_collections()
        log.info("serving", role="gateway", worker=worker, origin=settings.origin)
        await run_until_told(Lineup(parts), grace=settings.operation.grace, orphaned=orphaned)
    log.info("stopped", role="gateway", worker=worker)


async def run_relay(folder: ExchangeFolder, *, operation_port: int | None = None) -> None:
    """Relay, or stand by, until told to stop. Raises ``ConfigurationError`` and ``StoreError``."""
    settings = folder.settings
    require_shared_bus(settings)
    require_shared_database(settings)
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(open_tracing(settings.telemetry, role="relay"))
        operator = stack.enter_context(bound_operation(settings, role="relay", port=operation_port))
        store, leadership = open_shared_database(folder)
        opened = await stack.enter_async_context(open_bus(settings, folder.path))
        means = Means(
            store=store,
            leadership=leadership,
            bus=opened.look,
            clock=system_clock,
            randomness=os.urandom,
            tracing=tracing,
            operator=True,
        )
        relay = await open_relay(
            settings,
            keys=folder.keys,
            bus=opened.bus,
            published=PublishedState(folder.published_checkpoint),
            means=means,
        )
        stack.push_async_callback(relay.close)
        relay.metrics.register(LagCollector(opened.lags))
        parts: list[Part] = [relay]
        if operator is not None:
            parts.append(Operation(operator, health=relay.health, metrics=relay.metrics))
        log.info("serving", role="relay", origin=settings.origin)
        await run_until_told(Lineup(parts), grace=settings.operation.grace)
    log.info("stopped", role="relay")


async def run_adapters(
    folder: AdaptersFolder, *, participants: Sequence[str] = (), operation_port: int | None = None
) -> None:
    """Deliver to the participants that were chosen, to all where none was, until told to stop.

    Raises ``ConfigurationError``.
    """
    settings = folder.settings
    require_shared_bus(settings)
    partners = chosen_partners(folder.partners, participants)
    if not partners:
        raise ConfigurationError(_NO_PARTNERS)
    sender = https_sender(settings, folder.path, folder.key)
    async with AsyncExitStack() as stack:
        tracing = stack.enter_context(open_tracing(settings.telemetry, role="adapters"))
        operator = stack.enter_context(bound_operation(settings, role="adapters", port=operation_port))
        opened = await stack.enter_async_context(open_bus(settings, folder.path))
        metrics = new_registry()
        metrics.register(LagCollector(opened.lags))
        adapters = open_adapters(
            settings,
            partners,
            directory=folder.participant,
            bus=opened.bus,
            sender=sender,
            tracing=tracing or UNTRACED,
            observe=AdapterMetrics(metrics).handled,
        )
        parts: list[Part] = [adapters]
        if operator is not None:
            health = Health((("bus", opened.look, Condition.DEGRADED),))
            parts.append(Operation(operator, health=health, metrics=metrics))
        log.info("serving", role="adapters", participants=[each.participant for each in partners])
        await run_until_told(Lineup(parts), grace=settings.operation.grace)
    log.info("stopped", role="adapters")


_NO_PARTNERS = Bilingual(
    fr="partners.yaml ne nomme aucun partenaire : il n'y a rien à remettre à personne.",
    en="partners.yaml names no partner: there is nothing to hand to anybody.",
)
