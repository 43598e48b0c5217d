"""The service a competent developer writes first, so that there is something to compare the exchange with.

FastAPI, joserfc, pydantic and one async SQLAlchemy session and transaction a request, on PostgreSQL (asyncpg and
SQLAlchemy's own pool) or on SQLite in WAL mode with ``synchronous=FULL``. It promises what the exchange promises at
intake, and nothing beyond: a submission whose signature holds and whose alert is well formed is durably stored once,
then answered 201 with a signed receipt. It decides nothing, keeps no log and delivers nothing. It is written as the
libraries' own tutorials would have it: neither tuned nor slowed.

Run as ``python -m benchmarks.naive --keys keys.json --database URL --port N``; ``keys.json`` is what
``benchmarks.sample.write_public_keys`` wrote.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from joserfc.registry import HeaderParameter
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from sqlalchemy import URL, DateTime, UniqueConstraint, event, make_url, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

from benchmarks.process import HOST, Server, free_port, serving

CLOCK_TOLERANCE = timedelta(seconds=300)
PROFILE = jws.JWSRegistry(
    header_registry={"iat": HeaderParameter("Signing time", "int", required=True)}, algorithms=["ES256", "Ed25519"]
)


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class Caveat(_Model):
    """A handling caveat in both languages."""

    fr: str
    en: str


class Handling(_Model):
    """How the alert may be used and passed on."""

    tlp: Literal["RED", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"]
    codes: list[str]
    purpose: str
    caveat: Caveat | None = None


class Geocode(_Model):
    """A place by its code in some register."""

    value_name: str
    value: str


class Area(_Model):
    """Where the alert holds."""

    area_desc: str
    polygon: list[str]
    circle: list[str]
    geocode: list[Geocode]


class Info(_Model):
    """What the alert says, in one language."""

    language: Literal["fr-CA", "en-CA"]
    category: list[str]
    event: str
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"]
    severity: Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"]
    certainty: Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"]
    headline: str
    description: str
    instruction: str
    area: list[Area]


class Plate(_Model):
    """A licence plate."""

    number: str
    jurisdiction: str


class Vehicle(_Model):
    """A motor vehicle."""

    vin: str = Field(pattern=r"^[A-HJ-NPR-Z0-9]{17}$")
    plate: Plate
    make: str
    model: str
    year: int = Field(ge=1886, le=2100)
    colour: str


class StolenVehicle(_Model):
    """The body of a stolen-vehicle alert."""

    vehicle: Vehicle
    circumstances: str


class Alert(_Model):
    """A stolen-vehicle alert in its native form."""

    type: Literal["law-enforcement/stolen-vehicle/v1"]
    identifier: str = Field(min_length=1, max_length=128)
    sender: str
    sent: AwareDatetime
    status: Literal["Actual", "Exercise", "System", "Test", "Draft"]
    msg_type: Literal["Alert", "Update", "Cancel", "Ack", "Error"]
    scope: Literal["Public", "Restricted", "Private"]
    references: list[str]
    incidents: list[str]
    addresses: list[str]
    expires: AwareDatetime
    handling: Handling
    info: list[Info] = Field(min_length=1)
    body: StolenVehicle


class Base(DeclarativeBase):
    """The tables."""

    type_annotation_map: ClassVar = {datetime: DateTime(timezone=True)}


class StoredAlert(Base):
    """An accepted submission."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("sender", "identifier"),)

    log_index: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    sender: Mapped[str]
    identifier: Mapped[str]
    type: Mapped[str]
    sent: Mapped[datetime]
    digest: Mapped[str]
    submission: Mapped[bytes]
    received: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the service is told at start."""

    keys: Path
    database: URL


def create_app(settings: Settings) -> FastAPI:
    """Build the service; raises ``OSError`` where the key file can't be read."""
    registered = json.loads(settings.keys.read_text())
    intake = Intake(keys=KeySet.import_key_set({"keys": registered["keys"]}), senders=registered["senders"])
    receipt_key = OKPKey.generate_key("Ed25519", {"kid": "naive.receipts"})
    engine = _engine(settings.database)
    app = FastAPI(lifespan=lambda _: _tables(engine))
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/v1/alerts", status_code=201)
    async def submit(request: Request, database: Annotated[AsyncSession, Depends(_session)]) -> JSONResponse:
        submission = await request.body()
        now = datetime.now(UTC)
        alert = intake.check(submission, now)
        stored, status = await _store(database, alert, submission, now)
        answer = {
            "alert_id": str(stored.alert_id),
            "log_index": stored.log_index,
            "receipt": _receipt(stored, receipt_key),
            "recipients": [],
        }
        return JSONResponse(answer, status_code=status, headers={"Location": f"/v1/alerts/{stored.alert_id}"})

    return app


@dataclass(frozen=True, slots=True)
class Intake:
    """Who may send: the registered keys, and the sender each ``kid`` belongs to."""

    keys: KeySet
    senders: dict[str, str]

    def check(self, submission: bytes, now: datetime) -> Alert:
        """Return the alert of a submission that holds; raises ``HTTPException`` 400, 401, 403 or 422."""
        try:
            verified = jws.deserialize_compact(submission, self.keys, registry=PROFILE)
        except (JoseError, ValueError) as error:
            raise HTTPException(401, "signature-not-trusted") from error
        header = verified.headers()
        signed = datetime.fromtimestamp(header["iat"], UTC)
        if header.get("typ") != "alert+jws" or abs(now - signed) > CLOCK_TOLERANCE:
            raise HTTPException(400, "malformed-submission")
        try:
            alert = Alert.model_validate_json(verified.payload)
        except ValidationError as error:
            raise HTTPException(422, "invalid-alert") from error
        if self.senders.get(header["kid"]) != alert.sender:
            raise HTTPException(403, "not-permitted")
        if alert.sent > now + CLOCK_TOLERANCE or alert.expires < now:
            raise HTTPException(422, "invalid-alert")
        return alert


async def _session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as session:
        yield session


async def _store(database: AsyncSession, alert: Alert, submission: bytes, now: datetime) -> tuple[StoredAlert, int]:
    """Store the alert once and say 201, or 200 for a retry; raises ``HTTPException`` 409 for other content."""
    stored = StoredAlert(
        alert_id=uuid.uuid4(),
        sender=alert.sender,
        identifier=alert.identifier,
        type=alert.type,
        sent=alert.sent,
        digest=hashlib.sha256(submission).hexdigest(),
        submission=submission,
        received=now,
    )
    digest = stored.digest
    database.add(stored)
    try:
        await database.commit()
    except IntegrityError:
        await database.rollback()
        query = select(StoredAlert).filter_by(sender=alert.sender, identifier=alert.identifier)
        first = (await database.execute(query)).scalar_one()
        if first.digest != digest:
            raise HTTPException(409, "identifier-reused") from None
        return first, 200
    return stored, 201


def _receipt(stored: StoredAlert, key: OKPKey) -> str:
    claims = {
        "alert_id": str(stored.alert_id),
        "sender": stored.sender,
        "identifier": stored.identifier,
        "digest": f"sha-256:{stored.digest}",
        "log_index": stored.log_index,
        "log_origin": "naive.lacolle.example",
        "received": stored.received.isoformat(timespec="milliseconds"),
    }
    header = {"alg": "Ed25519", "kid": key.kid, "typ": "receipt+jws"}
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["Ed25519"])


def _engine(database: URL) -> AsyncEngine:
    if database.get_backend_name() != "sqlite":
        return create_async_engine(database)
    # SQLite takes one writer at a time. The default pool of fifteen answers some of 64 clients with "database is
    # locked"; one connection accepts as much, and its slowest answers are four times as quick.
    engine = create_async_engine(database, pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _make_durable)
    return engine


@asynccontextmanager
async def _tables(engine: AsyncEngine) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


def _make_durable(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


@contextmanager
def serving_naive(*, keys: Path, database: URL) -> Iterator[Server]:
    """Run the service in a process of its own for as long as the block lasts; raises ``ServerDiedError``."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.naive", "--port", str(port)]
    command += ["--keys", str(keys), "--database", database.render_as_string(hide_password=False)]
    with serving(command, port=port, log=keys.with_name("naive.log"), ready="/readyz") as server:
        yield server


def sqlite_url(file: Path) -> URL:
    """Return the URL of a SQLite file."""
    return URL.create("sqlite+aiosqlite", database=str(file))


def postgres_url(url: str) -> URL:
    """Return the URL of a PostgreSQL database, with the driver in it."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def main() -> None:
    """Serve on loopback until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.naive", description="The naive service.")
    parser.add_argument("--keys", type=Path, required=True, help="public keys and whose they are")
    parser.add_argument("--database", type=make_url, required=True, help="SQLAlchemy's URL of it")
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    app = create_app(Settings(keys=options.keys, database=options.database))
    uvicorn.run(
        app, host=HOST, port=options.port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main()
