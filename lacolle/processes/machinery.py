"""What a process runs on, as the settings say: the database, the bus, and the contest for relaying."""

from __future__ import annotations

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bus.contract import Bus
from bus.embedded import EmbeddedBus
from bus.kafka import KafkaBus, KafkaProbe, KafkaSettings, KafkaSettingsError
from gateway.leadership import Leadership
from gateway.log.witness_calls import AskWitness, asks_nobody
from gateway.settings.exchange import Settings
from gateway.store.address import postgres_address
from gateway.store.contest import PostgresLeadership
from gateway.store.engine import Store, open_postgres, open_sqlite
from gateway.watching.checks import bus_here
from gateway.watching.health import WORKS, Check, Condition, Finding
from lacolle.errors import ConfigurationError
from lacolle.folder import SETTINGS, ExchangeFolder
from lacolle.secretfiles import read_secret
from lacolle.witness.asking import asking
from schemas.bilingual import Bilingual


@dataclass(frozen=True, slots=True)
class Database:
    """An open store, and the contest for relaying on it; None where no other process can be on it."""

    store: Store
    leadership: Leadership | None


@dataclass(frozen=True, slots=True)
class OpenBus:
    """An open bus, a look at it for readiness, whether it forgets when this process ends, and what waits on it."""

    bus: Bus
    look: Check
    forgetful: bool
    lags: Callable[[], Mapping[tuple[str, str], int]] = dict


@contextmanager
def open_database(folder: ExchangeFolder) -> Iterator[Database]:
    """Yield the database of a folder's settings; a SQLite file is this process's alone.

    Whoever uses the store closes it. Raises ``ConfigurationError``, ``StoreError``.
    """
    store = folder.settings.store
    if store.url is None:
        with alone_on(folder.data):
            yield Database(open_sqlite(folder.database), None)
        return
    yield Database(*_postgres(folder))


def open_shared_database(folder: ExchangeFolder) -> tuple[Store, Leadership]:
    """Return the database of a role that shares it with others. Raises ``ConfigurationError``, ``StoreError``."""
    require_shared_database(folder.settings)
    return _postgres(folder)


@asynccontextmanager
async def open_bus(settings: Settings, path: Path) -> AsyncIterator[OpenBus]:
    """Yield the bus of the settings, and close it; ``path`` is the exchange's folder. Raises ``ConfigurationError``."""
    kafka = settings.bus.kafka
    if kafka is None:
        opened = OpenBus(EmbeddedBus(), bus_here, forgetful=True)
    else:
        bus = _kafka(kafka, path)
        opened = OpenBus(bus, bus_look(settings, path, refusal=lambda: bus.refusal), forgetful=False, lags=bus.lags)
    try:
        yield opened
    finally:
        await opened.bus.close()


def _nothing_refused() -> None:
    return None


def bus_look(settings: Settings, path: Path, *, refusal: Callable[[], Bilingual | None] = _nothing_refused) -> Check:
    """Return a look at the bus that needs no bus: a gateway puts nothing on it, and its operator asks all the same.

    ``refusal`` says why the brokers refuse a process that has a bus, for they may let it connect and do nothing.
    Raises ``ConfigurationError``.
    """
    kafka = settings.bus.kafka
    if kafka is None:
        return bus_here
    try:
        probe = KafkaProbe(kafka, folder=path)
    except KafkaSettingsError as error:
        raise ConfigurationError(error.reason) from error

    async def look() -> Finding:
        if not await probe.reachable():
            return Finding(Condition.DEGRADED, "unreachable")
        refused = refusal()
        return WORKS if refused is None else Finding(Condition.DEGRADED, refused.en)

    return look


def _kafka(settings: KafkaSettings, path: Path) -> KafkaBus:
    try:
        return KafkaBus(settings, folder=path)
    except KafkaSettingsError as error:
        raise ConfigurationError(error.reason) from error


@asynccontextmanager
async def asking_witnesses(settings: Settings, path: Path) -> AsyncIterator[AskWitness]:
    """Yield what asks the settings' witnesses, if there are any; ``path`` is the exchange's folder.

    Raises ``ConfigurationError``.
    """
    if not settings.witnesses.known:
        yield asks_nobody
        return
    named = settings.witnesses.ca_file
    async with asking(None if named is None else path / named) as ask:
        yield ask


def require_shared_bus(settings: Settings) -> None:
    """Raise ``ConfigurationError`` where the bus is this process's own: no other would ever see what is put on it."""
    if settings.bus.kafka is None:
        raise ConfigurationError(_NO_SHARED_BUS)


def require_shared_database(settings: Settings) -> None:
    """Raise ``ConfigurationError`` where the database is one that serves a single process."""
    if settings.store.url is None:
        raise ConfigurationError(_NOT_SHARED)


def _postgres(folder: ExchangeFolder) -> tuple[Store, Leadership]:
    store = folder.settings.store
    if store.url is None:
        raise ConfigurationError(_NOT_SHARED)
    password = None if store.password_file is None else read_secret(folder.path / store.password_file)
    authorities = None if store.ca_file is None else folder.path / store.ca_file
    address = postgres_address(store.url, password=password, tls=store.tls, ca_file=authorities)
    return open_postgres(address), PostgresLeadership(address)


@contextmanager
def alone_on(data: Path) -> Iterator[None]:
    """Hold a folder's data for this process: a second one writing there would send all anew, and harm the log.

    The lock is the open file's, so it ends with the process however that ends. Raises ``ConfigurationError``.
    """
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


_NOT_SHARED: Final = Bilingual(
    fr="SQLite ne sert qu'un seul processus : pour des rôles séparés, indiquez une base PostgreSQL sous store.url dans "
    f"{SETTINGS}; pour un seul processus, lancez « lacolle serve ».",
    en=f"SQLite serves one process alone: for roles of their own, name a PostgreSQL database under store.url in "
    f"{SETTINGS}; for one process, run “lacolle serve”.",
)
_NO_SHARED_BUS: Final = Bilingual(
    fr="La messagerie intégrée ne sort pas d'un processus : pour des rôles séparés, indiquez bus.kafka dans "
    f"{SETTINGS}; pour un seul processus, lancez « lacolle serve ».",
    en="The embedded bus does not leave its process: for roles of their own, name Kafka under bus.kafka in "
    f"{SETTINGS}; for one process, run “lacolle serve”.",
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
