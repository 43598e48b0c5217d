"""The all-in-one node: gateway, relay and adapters of one exchange in one process, on SQLite and the in-process bus."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import ipaddress
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from adapters.formats import writer_of
from adapters.registry import HttpsProfile, PartnerProfile, open_transport
from adapters.transports import https
from adapters.worker import Partner, Worker, WorkerSettings
from audit.checkpoints import PublishedState
from bus.contract import Bus
from bus.embedded import EmbeddedBus
from bus.topics import OUTCOMES, adapter_group, parcels_topics
from gateway.clock import system_clock
from gateway.exchange import Exchange, open_exchange
from gateway.outcomes import GROUP
from gateway.registry import CurrentRegistry
from gateway.settings import Listen
from gateway.store.engine import open_sqlite
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS, ExchangeFolder
from lacolle.serving import http_server, tls_context
from schemas.bilingual import Bilingual
from schemas.ids import ParticipantId

log = structlog.get_logger(__name__)

COLLECT_AFTER: Final = (50_000, 20, 50)
"""When Python looks for cycles. Requests leave hardly any; at the default rate, looking takes a third of all time."""
GRACE_SECONDS: Final = 5
"""How long requests and deliveries in hand may take when the node is told to stop."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the node listens."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class Node:
    """A node whose parts are open and whose port is bound; ``run`` serves."""

    def __init__(
        self,
        *,
        exchange: Exchange,
        bound: socket.socket,
        tls: ssl.SSLContext | None,
        listen: Listen,
        workers: Sequence[Worker],
    ) -> None:
        host, port = bound.getsockname()[:2]
        self.address = Address("http" if tls is None else "https", host, port)
        self._exchange = exchange
        self._bound = bound
        self._workers = workers
        self._server = http_server(exchange.app, tls=tls, grace=GRACE_SECONDS, listen=listen)

    async def run(self) -> None:
        """Serve until ``stop``. Raises what made the node end by itself."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        keeping = asyncio.create_task(self._exchange.run(), name="exchange")
        working = [asyncio.create_task(worker.run(), name="adapter") for worker in self._workers]
        serving = asyncio.create_task(self._server.serve(sockets=[self._bound]), name="http")
        try:
            done, _ = await asyncio.wait({keeping, serving, *working}, return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await serving
            for worker in self._workers:
                worker.stop()
            await asyncio.gather(*working, return_exceptions=True)
            for task in done:
                task.result()
        finally:
            self.stop()  # also where this task was cancelled: what is not told to end would be waited for in vain
            for worker in self._workers:
                worker.stop()
            keeping.cancel()
            await asyncio.gather(keeping, serving, *working, return_exceptions=True)

    def stop(self) -> None:
        """Take no new request; ``run`` returns when what is in hand is finished. Idempotent."""
        self._server.should_exit = True


@asynccontextmanager
async def open_node(folder: ExchangeFolder, *, insecure_http: bool) -> AsyncIterator[Node]:
    """Open everything that a folder's exchange is made of and yield it, ready to run.

    ``insecure_http`` lets a node without a certificate serve plain HTTP, on a loopback address alone. Raises
    ``ConfigurationError`` and ``StoreError``.
    """
    with _alone(folder):
        async with _open(folder, tls=_tls(folder, insecure_http=insecure_http)) as node:
            yield node


@asynccontextmanager
async def _open(folder: ExchangeFolder, *, tls: ssl.SSLContext | None) -> AsyncIterator[Node]:
    settings = folder.settings
    sender = _sender(folder)
    bus = EmbeddedBus()
    exchange = await open_exchange(
        settings,
        store=open_sqlite(folder.database),
        bus=bus,
        keys=folder.keys,
        founding=folder.founding,
        published=PublishedState(folder.published_checkpoint),
        clock=system_clock,
        randomness=os.urandom,
    )
    try:
        workers = _workers(folder, exchange, bus, sender)
        _say_who_has_no_adapter(folder.partners, exchange.registry)
        await _join_groups(folder.partners, bus)
        with _bind(settings.listen.host, settings.listen.port) as bound:
            yield Node(exchange=exchange, bound=bound, tls=tls, listen=settings.listen, workers=workers)
    finally:
        await exchange.close()
        await bus.close()


async def serve(folder: ExchangeFolder, *, insecure_http: bool) -> None:
    """Run a folder's exchange until SIGINT or SIGTERM."""
    async with open_node(folder, insecure_http=insecure_http) as node:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, node.stop)
        log.info("serving", address=str(node.address), origin=folder.settings.origin)
        await node.run()
        log.info("stopped")


def _tls(folder: ExchangeFolder, *, insecure_http: bool) -> ssl.SSLContext | None:
    """Return the server's TLS context; None for plain HTTP, which loopback alone may have, and only when asked."""
    listen = folder.settings.listen
    if listen.tls is not None:
        try:
            return tls_context(
                folder.path / listen.tls.certificate,
                folder.path / listen.tls.key,
                client_ca=None if listen.tls.client_ca is None else folder.path / listen.tls.client_ca,
                required=listen.tls.client_certificates == "required",
            )
        except OSError as error:
            raise ConfigurationError(_NO_CERTIFICATE) from error
    if not insecure_http:
        raise ConfigurationError(_NO_TLS)
    if not _is_loopback(listen.host):
        raise ConfigurationError(_NOT_LOOPBACK)
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise ConfigurationError(
            Bilingual(
                fr=f"Impossible d'écouter sur {host}:{port} ({error.strerror}) : choisissez un autre port dans "
                f"{SETTINGS}, ou arrêtez ce qui l'occupe.",
                en=f"Can't listen on {host}:{port} ({error.strerror}): choose another port in {SETTINGS}, or stop "
                "what occupies it.",
            )
        ) from error
    return bound


@contextmanager
def _alone(folder: ExchangeFolder) -> Iterator[None]:
    """Hold the folder's data for this process: a second one writing there would send all anew, and harm the log.

    The lock is the open file's, so it ends with the process however that ends.
    """
    data = folder.database.parent
    try:
        held = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigurationError(_no_data(data)) from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(_in_use(data)) from error
        yield
    finally:
        os.close(held)


def _sender(folder: ExchangeFolder) -> https.Exchange:
    """Return what all deliveries over HTTPS share."""
    name = folder.settings.delivery.ca_file
    ca_file = None if name is None else folder.path / name
    try:
        tls = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigurationError(_no_authorities(ca_file)) from error
    return https.Exchange(
        origin=folder.settings.origin, key=folder.keys.transport, tls=tls, now=system_clock, randomness=os.urandom
    )


def _workers(folder: ExchangeFolder, exchange: Exchange, bus: Bus, sender: https.Exchange) -> list[Worker]:
    """Return a worker for each partner that has a profile; the hosts it may call are its authority's to say."""
    delivery = folder.settings.delivery
    settings = WorkerSettings(
        origin=folder.settings.origin,
        places=delivery.concurrency,
        # a transport with a limit of its own ends by itself; this one is for those that have none
        timeout=max([delivery.timeout, *(_own_timeout(profile) + 1.0 for profile in folder.partners)]),
        grace=GRACE_SECONDS,
    )
    workers = []
    for profile in folder.partners:
        if exchange.registry.participant(profile.participant) is None:
            raise ConfigurationError(_unknown_partner(profile))
        hosts = partial(_hosts, exchange.registry, profile.participant)
        transport = open_transport(profile, hosts=hosts, exchange=sender)
        partner = Partner(participant=profile.participant, write=writer_of(profile.format), transport=transport)
        workers.append(Worker(partner, bus=bus, settings=settings, now=system_clock))
    return workers


def _hosts(registry: CurrentRegistry, participant: ParticipantId) -> tuple[str, ...]:
    """Return the hosts that the statement standing now allows: a newer one counts without a restart."""
    statement = registry.participant(participant)
    return () if statement is None else statement.hosts


def _say_who_has_no_adapter(partners: Sequence[PartnerProfile], registry: CurrentRegistry) -> None:
    """Name the receivers whose dispatches nobody here hands over; theirs stay on the bus until their deadline."""
    served = {profile.participant for profile in partners}
    receivers = {each.participant for each in registry.receivers}
    if without := sorted(receivers - served):
        log.warning("receivers_without_adapter", participants=without)


def _own_timeout(profile: PartnerProfile) -> float:
    return profile.transport.timeout if isinstance(profile.transport, HttpsProfile) else 0.0


async def _join_groups(partners: Sequence[PartnerProfile], bus: Bus) -> None:
    """Let the bus know every group before the relay publishes: what comes before a group's first member is lost."""
    groups = [(adapter_group(profile.participant), parcels_topics(profile.participant)) for profile in partners]
    for group, topics in [*groups, (GROUP, (OUTCOMES,))]:
        for topic in topics:
            subscription = await bus.subscribe([topic], group=group)
            await subscription.close()


_NO_TLS: Final = Bilingual(
    fr=f"Aucun certificat TLS n'est configuré : indiquez listen.tls dans {SETTINGS}, ou, pour un essai sur cette "
    "machine, lancez « lacolle serve » avec --insecure-http.",
    en=f"No TLS certificate is configured: name one under listen.tls in {SETTINGS}, or, to try things out on this "
    "machine, run “lacolle serve” with --insecure-http.",
)
_NOT_LOOPBACK: Final = Bilingual(
    fr=f"HTTP sans TLS n'est servi que sur une adresse de bouclage : mettez listen.host à 127.0.0.1 dans {SETTINGS}, "
    "ou indiquez un certificat.",
    en=f"HTTP without TLS is served on a loopback address alone: set listen.host to 127.0.0.1 in {SETTINGS}, or name "
    "a certificate.",
)
_NO_CERTIFICATE: Final = Bilingual(
    fr="Le certificat TLS, sa clé ou les autorités des clients ne peuvent être lus : vérifiez les fichiers nommés sous "
    f"listen.tls dans {SETTINGS}.",
    en="The TLS certificate, its key or the clients' authorities can't be read: check the files named under listen.tls "
    f"in {SETTINGS}.",
)


def _unknown_partner(profile: PartnerProfile) -> Bilingual:
    return Bilingual(
        fr=f"partners.yaml nomme {profile.participant}, qu'aucune attestation n'inscrit : ajoutez l'attestation de son "
        "autorité dans statements/, ou retirez le profil.",
        en=f"partners.yaml names {profile.participant}, whom no statement registers: add its authority's statement to "
        "statements/, or remove the profile.",
    )


def _no_data(data: Path) -> Bilingual:
    return Bilingual(
        fr=f"Le dossier des données, {data}, manque ou ne peut être ouvert : créez-le, ou corrigez files.data dans "
        f"{SETTINGS}.",
        en=f"The data folder, {data}, is missing or can't be opened: make it, or correct files.data in {SETTINGS}.",
    )


def _in_use(data: Path) -> Bilingual:
    return Bilingual(
        fr=f"Une autre plateforme est en marche sur {data} : arrêtez-la d'abord.",
        en=f"Another exchange is running on {data}: stop it first.",
    )


def _no_authorities(ca_file: Path | None) -> Bilingual:
    return Bilingual(
        fr=f"{ca_file} ne contient pas de certificats d'autorité lisibles (PEM) : corrigez delivery.ca_file dans "
        f"{SETTINGS}.",
        en=f"{ca_file} holds no certificate authorities that can be read (PEM): correct delivery.ca_file in "
        f"{SETTINGS}.",
    )
