"""One adapter process alone: how many parcels a second it takes off the bus and hands to an HTTPS partner.

The bus is the in-process one and holds every parcel before the clock starts, so nothing but the adapter's own work is
timed: read the record, translate (to nothing: the native form), sign, hand over by TLS, report. The clock stops when
every outcome is on the bus. Prints one JSON object; exits with status 1 where a parcel was not delivered.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import uvloop

from adapters.formats import Format, writer_of
from adapters.recalls import UNRECALLABLE
from adapters.transports.addresses import AllowList
from adapters.transports.https import Endpoint, Exchange, HttpsTransport
from adapters.worker import Partner, Worker, WorkerSettings
from benchmarks.partner import Endpoint as Listening
from benchmarks.partner import PartnerProcess, partner
from benchmarks.process import HOST, free_port, machine_ticks
from benchmarks.sample import alerts, generate_keys, sign
from bus.contract import Record
from bus.embedded import EmbeddedBus
from bus.events import read_outcome, write_parcel
from bus.topics import OUTCOMES
from gateway.clock import system_clock
from lacolle.certificates import LocalAuthority
from lacolle.logs import write_logs
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, KeyId, ParticipantId, uuid7
from schemas.parcels import Parcel
from schemas.signing.keys import SigningKey

_ORIGIN = "exchange.example"
_RECIPIENT = ParticipantId("us-ny.nysp")
_SENDER = ParticipantId("ca-qc.sq")


@dataclass(frozen=True, slots=True)
class Result:
    """What was seen: parcels a second, and the processor time that one cost the adapter and the partner."""

    deliveries: int
    per_s: float
    adapter_cpu_ms: float
    partner_cpu_ms: float
    stolen_share: float
    outcomes: dict[str, int]


async def _measure(count: int, running: PartnerProcess, transport: HttpsTransport) -> Result:
    bus = EmbeddedBus()
    receiver = Partner(_RECIPIENT, writer_of(Format.NATIVE), transport, UNRECALLABLE)
    worker = Worker(receiver, bus=bus, settings=WorkerSettings(origin=_ORIGIN), now=system_clock)
    outcomes = await bus.subscribe([OUTCOMES], group="benchmark")
    working = asyncio.create_task(worker.run())
    await asyncio.sleep(0.1)  # its subscriptions stand
    parcels = list(records(count))
    machine, theirs, own, began = machine_ticks(), running.state(), time.process_time(), time.monotonic()
    for record in parcels:
        await bus.publish(record)
    reported = [await outcomes.receive() for _ in parcels]
    seconds, cpu, taken = time.monotonic() - began, time.process_time() - own, running.state()
    worker.stop()
    await working
    return Result(
        deliveries=count,
        per_s=count / seconds,
        adapter_cpu_ms=cpu * 1000 / count,
        partner_cpu_ms=(taken.cpu_s - theirs.cpu_s) * 1000 / count,
        stolen_share=machine_ticks().stolen_since(machine),
        outcomes=dict(Counter(read_outcome(received.record).outcome.detail for received in reported)),
    )


def records(count: int) -> Iterator[Record]:
    """Yield so many parcels for one partner, as the relay would publish them."""
    now = datetime.now(UTC).replace(microsecond=0)
    keys = generate_keys(_SENDER)
    bodies = list(sign(alerts("A", range(100), sender=_SENDER, now=now), keys=keys, now=now))
    for number in range(count):
        alert_id = AlertId(uuid7(at=now, randomness=os.urandom(10)))
        parcel = Parcel(
            delivery_id=DeliveryId(uuid7(at=now, randomness=os.urandom(10))),
            alert_id=alert_id,
            thread=alert_id,
            recipient=_RECIPIENT,
            sender=_SENDER,
            alert_type=AlertType("law-enforcement/stolen-vehicle/v1"),
            lane=Lane.ROUTINE,
            under=ClauseRef(AgreementId("ca-qc.us-ny.crime-2008"), 1, "4.1"),
            attempt=1,
            sent_at=now,
            deadline=now + timedelta(hours=1),
            exercise=False,
            content_type="application/jose",
            data_schema="https://gateway.example/v1/schemas/law-enforcement/stolen-vehicle/v1",
            traceparent="",
            body=bodies[number % len(bodies)],
        )
        yield write_parcel(parcel, origin=_ORIGIN)


def main() -> None:
    """Measure as many deliveries as the command line says."""
    write_logs(as_json=True, file=Path(os.devnull))
    with tempfile.TemporaryDirectory(prefix="lacolle-bench-") as directory:
        authority = LocalAuthority(Path(directory))
        certificate = authority.issue("partner")
        listening = Listening(port=free_port(), certificate=certificate.chain, private_key=certificate.key)
        transport = HttpsTransport(
            Endpoint(url=f"https://{HOST}:{listening.port}/alerts", allowed=lambda: AllowList.of([HOST]), timeout=10.0),
            Exchange(
                origin=_ORIGIN,
                key=SigningKey.generate(KeyId("exchange.transport"), "Ed25519"),
                tls=ssl.create_default_context(cafile=authority.ca_file),
                now=system_clock,
                randomness=os.urandom,
            ),
        )
        with partner([listening]) as running:
            result = uvloop.run(_measure(int(sys.argv[1]), running, transport))
    sys.stdout.write(orjson.dumps(asdict(result)).decode() + "\n")
    if set(result.outcomes) != {"http 204"}:
        sys.exit(1)


if __name__ == "__main__":
    main()
