"""The adapters role: a worker for each partner, made of its profile and of what its authority says of it."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import structlog

from adapters.formats import writer_of
from adapters.metrics import AdapterMetrics
from adapters.recalls import UNRECALLABLE, Recalls, RecallWatch
from adapters.registry import HttpsProfile, OwnTopicsProfile, PartnerProfile, open_transport
from adapters.transports import https
from adapters.worker import Observer, Partner, Worker, WorkerSettings
from bus.contract import Bus
from gateway.clock import system_clock
from gateway.settings.exchange import Settings
from gateway.watching.health import Condition, Health
from gateway.watching.metrics import new_registry
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS, AdaptersFolder
from lacolle.processes.lag import LagCollector
from lacolle.processes.lineup import Lineup, Part, run_until_told
from lacolle.processes.machinery import open_bus, require_shared_bus
from lacolle.processes.operation import Operation, bound_operation
from lacolle.processes.telemetry import open_tracing
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId
from schemas.signing.keys import SigningKey
from schemas.statements import ParticipantStatement
from schemas.tracing import UNTRACED, Tracing

log = structlog.get_logger(__name__)

Directory = Callable[[ParticipantId], ParticipantStatement | None]
"""Returns what a participant's authority says of it."""


class Adapters:
    """The workers of one process, and the watch that tells them what was recalled."""

    def __init__(self, workers: Sequence[Worker], watch: RecallWatch) -> None:
        self._workers = tuple(workers)
        self._watch = watch
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until ``stop``, then finish what is in hand. Raises an ``ExceptionGroup`` of what broke a worker."""
        async with asyncio.TaskGroup() as beside:
            watching = beside.create_task(self._watch.run())
            async with asyncio.TaskGroup() as tasks:
                for worker in self._workers:
                    tasks.create_task(worker.run())
                await self._stopping.wait()
            watching.cancel()

    def stop(self) -> None:
        """Take nothing more off the bus. Idempotent."""
        for worker in self._workers:
            worker.stop()
        self._stopping.set()


def https_sender(settings: Settings, path: Path, key: SigningKey) -> https.Exchange:
    """Return what all deliveries over HTTPS share; ``path`` is the exchange's folder. Raises ``ConfigurationError``."""
    name = settings.delivery.ca_file
    ca_file = None if name is None else path / name
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(_no_authorities(ca_file)) from error
    return https.Exchange(origin=settings.origin, key=key, tls=tls, now=system_clock, randomness=os.urandom)


def open_adapters(
    settings: Settings,
    partners: Sequence[PartnerProfile],
    *,
    directory: Directory,
    bus: Bus,
    sender: https.Exchange,
    tracing: Tracing,
    observer: Observer,
) -> Adapters:
    """Return a worker for each partner; the hosts it may call are its authority's to say.

    Raises ``ConfigurationError`` for a partner whom no statement registers.
    """
    delivery = settings.delivery
    worker_settings = WorkerSettings(
        origin=settings.origin,
        places=delivery.concurrency,
        # a transport with a limit of its own ends by itself; this one is for those that have none
        timeout=max([delivery.timeout, *(_own_timeout(profile) + 1.0 for profile in partners)]),
        grace=settings.operation.grace,
    )
    workers, watch = [], RecallWatch(bus)
    for profile in partners:
        if directory(profile.participant) is None:
            raise ConfigurationError(_unknown_partner(profile))
        hosts = partial(_hosts, directory, profile.participant)
        transport = open_transport(profile, hosts=hosts, exchange=sender)
        partner = Partner(
            participant=profile.participant,
            write=writer_of(profile.format),
            transport=transport,
            recalls=_recalls(profile, watch),
        )
        workers.append(
            Worker(partner, bus=bus, settings=worker_settings, now=system_clock, tracing=tracing, observer=observer)
        )
    return Adapters(workers, watch)


def _recalls(profile: PartnerProfile, watch: RecallWatch) -> Recalls:
    return UNRECALLABLE if isinstance(profile.transport, OwnTopicsProfile) else watch


def _hosts(directory: Directory, participant: ParticipantId) -> tuple[str, ...]:
    """Return the hosts that the statement standing now allows: a newer one counts without a restart."""
    statement = directory(participant)
    return () if statement is None else statement.hosts


def chosen_partners(partners: Sequence[PartnerProfile], chosen: Collection[str]) -> tuple[PartnerProfile, ...]:
    """Return the profiles of the participants that were chosen, all of them where none was.

    Raises ``ConfigurationError`` for one without a profile.
    """
    known = {profile.participant for profile in partners}
    missing = sorted(set(chosen) - known)
    if missing:
        raise ConfigurationError(_no_profile(", ".join(missing)))
    return tuple(profile for profile in partners if not chosen or profile.participant in chosen)


def _own_timeout(profile: PartnerProfile) -> float:
    return profile.transport.timeout if isinstance(profile.transport, HttpsProfile) else 0.0


def _no_profile(names: str) -> Bilingual:
    return Bilingual(
        fr=f"partners.yaml n'a pas de profil pour {names} : ajoutez-le, ou corrigez --participant.",
        en=f"partners.yaml has no profile for {names}: add it, or correct --participant.",
    )


def _unknown_partner(profile: PartnerProfile) -> Bilingual:
    return Bilingual(
        fr=f"partners.yaml nomme {profile.participant}, qu'aucune attestation n'inscrit : ajoutez l'attestation de son "
        "autorité dans statements/, ou retirez le profil.",
        en=f"partners.yaml names {profile.participant}, whom no statement registers: add its authority's statement to "
        "statements/, or remove the profile.",
    )


def _no_authorities(ca_file: Path | None) -> Bilingual:
    return Bilingual(
        fr=f"{ca_file} ne contient pas de certificats d'autorité lisibles (PEM) : corrigez delivery.ca_file dans "
        f"{SETTINGS}.",
        en=f"{ca_file} holds no certificate authorities that can be read (PEM): correct delivery.ca_file in "
        f"{SETTINGS}.",
    )


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
            observer=AdapterMetrics(metrics, participants=[each.participant for each in partners]),
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
