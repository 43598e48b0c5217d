"""What is on Kafka, read by others: another client library, and another library of CloudEvents."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import confluent_kafka
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from adapters.formats import native
from adapters.recalls import UNRECALLABLE
from adapters.worker import Partner, Worker, WorkerSettings
from bus.contract import Record
from bus.dead import DEAD_REASON, DEAD_TOPIC
from bus.events import (
    OUTCOME_TYPE,
    read_outcome,
    read_parcel,
    write_outcome,
    write_parcel,
)
from bus.headers import MalformedRecordError
from bus.kafka import KafkaBus
from bus.topics import OUTCOMES, dead_topic, parcels_topics
from schemas.ids import ParticipantId
from schemas.parcels import Deferred, Delivered, OutcomeReport, Parcel
from tests.contract.bus.kafka_records import PATIENCE, bus_of, put_elsewhere
from tests.servers.kafka import settings_for
from tests.unit.adapters.hands import answering
from tests.unit.bus.parcels import NOON, ORIGIN, parcel


@pytest.fixture
def recipient() -> ParticipantId:
    """Return a participant with whom no other test has to do."""
    return ParticipantId(f"us-ny.{uuid4().hex[:20]}")


def parcel_to(recipient: ParticipantId) -> Parcel:
    """Return an urgent parcel."""
    return replace(parcel(body=b"eyJhbGciOiJFUzI1NiJ9.e30.c2ln"), recipient=recipient)


def read_elsewhere(address: str, topic: str) -> Record:
    """Return the first record of a topic, read by librdkafka."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": address, "group.id": str(uuid4()), "auto.offset.reset": "earliest"}
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(PATIENCE)
        assert message is not None
        assert message.error() is None
        pairs = message.headers()
        assert isinstance(pairs, list)
        headers = [(name, value) for name, value in pairs if isinstance(value, bytes)]
        return Record(topic, message.key() or b"", message.value() or b"", tuple(headers))
    finally:
        consumer.close()


async def event_on(address: str, topic: str) -> BaseCloudEvent:
    """Return the first event of a topic, read by librdkafka and by the CloudEvents project's own library."""
    read = await asyncio.to_thread(read_elsewhere, address, topic)
    headers = dict(read.headers)
    assert len(headers) == len(read.headers)
    return from_binary_event(KafkaMessage(headers=headers, key=read.key, value=read.value))


async def test_another_library_reads_a_parcel(kafka_address: str, recipient: ParticipantId) -> None:
    """Every attribute of WIRE, "On Kafka", is what the CloudEvents library finds, and the body is untouched."""
    bus = bus_of(settings_for(kafka_address))
    sent = parcel_to(recipient)
    record = write_parcel(sent, origin=ORIGIN)
    await bus.create_topics([record.topic])
    await bus.publish(record)
    event = await event_on(kafka_address, record.topic)
    assert event.get_specversion() == "1.0"
    assert event.get_id() == sent.delivery_id
    assert event.get_source() == f"/{ORIGIN}"
    assert event.get_type() == "org.lacolle.alert.v1"
    assert event.get_subject() == sent.alert_id
    assert event.get_time() == NOON
    assert event.get_dataschema() == sent.data_schema
    assert event.get_datacontenttype() == "application/jose"
    assert event.get_extension("sender") == "ca-qc.sq"
    assert event.get_extension("agreement") == "ca-qc.us-ny.crime-2008/2#4.1"
    assert event.get_extension("deadline") == "2026-01-17T18:00:00.250Z"
    data = event.get_data()
    assert (data.encode() if isinstance(data, str) else data) == sent.body
    await bus.close()


async def test_the_trace_goes_through(kafka_address: str, recipient: ParticipantId) -> None:
    """``traceparent`` is a header of its own (W3C Trace Context for Kafka), as far as an adapter, unchanged."""
    bus = bus_of(settings_for(kafka_address))
    sent = parcel_to(recipient)
    record = write_parcel(sent, origin=ORIGIN)
    await bus.create_topics([record.topic])
    await bus.publish(record)
    read = await asyncio.to_thread(read_elsewhere, kafka_address, record.topic)
    assert dict(read.headers)["traceparent"] == sent.traceparent.encode()
    assert read_parcel(read) == sent
    await bus.close()


@pytest.mark.parametrize("outcome", [Delivered("http 200"), Deferred("http 503", 2.5)])
async def test_another_library_reads_an_outcome(
    kafka_address: str, recipient: ParticipantId, outcome: Delivered | Deferred
) -> None:
    """An outcome is a CloudEvent with a JSON body."""
    bus = bus_of(settings_for(kafka_address))
    sent = parcel_to(recipient)
    report = OutcomeReport(
        delivery_id=sent.delivery_id,
        alert_id=sent.alert_id,
        recipient=recipient,
        attempt=1,
        at=NOON,
        outcome=outcome,
    )
    record = replace(write_outcome(report, origin=ORIGIN), topic=f"{OUTCOMES}.{recipient}")
    await bus.create_topics([record.topic])
    await bus.publish(record)
    event = await event_on(kafka_address, record.topic)
    assert event.get_type() == "org.lacolle.outcome.v1"
    assert event.get_subject() == sent.alert_id
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["outcome"] == type(outcome).__name__.lower()
    assert data["detail"] == outcome.detail
    await bus.close()


async def test_what_cannot_be_read_goes_to_the_dead_topic(kafka_address: str, recipient: ParticipantId) -> None:
    """A worker puts a record that is no parcel on its partner's dead topic, whole, with the reason, and goes on."""
    bus = bus_of(settings_for(kafka_address))
    urgent, _routine = topics = parcels_topics(recipient)
    await bus.create_topics([*topics, dead_topic(recipient), OUTCOMES])
    graveyard = await bus.subscribe([dead_topic(recipient)], group="operator")
    outcomes = await bus.subscribe([OUTCOMES], group=f"exchange.{recipient}")
    transport = answering(Delivered("http 200"))
    partner = Partner(participant=recipient, write=native, transport=transport, recalls=UNRECALLABLE)
    worker = Worker(partner, bus=bus, settings=WorkerSettings(origin=ORIGIN), now=lambda: datetime.now(tz=UTC))
    for topic in topics:
        await (await bus.subscribe([topic], group=f"lacolle.adapter.{recipient}")).close()
    sent = replace(parcel_to(recipient), deadline=datetime(2200, 1, 1, tzinfo=UTC))
    dead = Record(urgent, b"key", b"no parcel", (("ce_id", b"7"), ("other", b"\xff")))
    await bus.publish(dead)
    await bus.publish(write_parcel(sent, origin=ORIGIN))
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        buried = (await graveyard.receive()).record
        while (await outcomes.receive()).record.key != sent.delivery_id.encode():
            pass
    worker.stop()
    await running
    assert (buried.topic, buried.key, buried.value) == (dead_topic(recipient), dead.key, dead.value)
    assert buried.headers[:2] == dead.headers
    assert dict(buried.headers)[DEAD_TOPIC] == urgent.encode()
    assert b"ce_specversion" in dict(buried.headers)[DEAD_REASON]
    assert transport.handed == [sent.delivery_id]
    await bus.close()


async def test_only_kafka_bus_positions_are_done(kafka_address: str, recipient: ParticipantId) -> None:
    """A position that the bus did not make is a mistake of the program, and says so."""
    bus: KafkaBus = bus_of(settings_for(kafka_address))
    topic = f"events.{recipient}"
    await bus.create_topics([topic])
    subscription = await bus.subscribe([topic], group="g")
    await bus.publish(Record(topic, b"key", b"value", ()))
    received = await subscription.receive()
    with pytest.raises(TypeError):
        await subscription.done(replace(received, position=1))
    await bus.close()


async def test_nulls_hold_nobody_back(kafka_address: str, recipient: ParticipantId) -> None:
    """A record without key, value or a header's value is read as empty there: it is buried, and what follows goes on.

    A good parcel but for its key is no parcel either, and an outcome without a value is malformed.
    """
    bus = bus_of(settings_for(kafka_address))
    urgent, _routine = topics = parcels_topics(recipient)
    outcomes_topic = f"{OUTCOMES}.{recipient}"
    await bus.create_topics([*topics, dead_topic(recipient), OUTCOMES, outcomes_topic])
    sent = replace(parcel_to(recipient), deadline=datetime(2200, 1, 1, tzinfo=UTC))
    headers = list(write_parcel(sent, origin=ORIGIN).headers)
    nulls: list[dict[str, Any]] = [
        {"value": b"no key", "headers": headers},
        {"key": b"no value", "headers": headers},
        {"key": b"null header", "value": b"value", "headers": [("ce_specversion", None)]},
        {},
    ]
    await asyncio.to_thread(put_elsewhere, kafka_address, *({"topic": urgent, **each} for each in nulls))
    await bus.publish(write_parcel(sent, origin=ORIGIN))
    transport = answering(Delivered("http 200"))
    partner = Partner(participant=recipient, write=native, transport=transport, recalls=UNRECALLABLE)
    worker = Worker(partner, bus=bus, settings=WorkerSettings(origin=ORIGIN), now=lambda: datetime.now(tz=UTC))
    graveyard = await bus.subscribe([dead_topic(recipient)], group="operator")
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(PATIENCE):
        buried = [(await graveyard.receive()).record for _ in nulls]
        while transport.handed != [sent.delivery_id]:  # noqa: ASYNC110 - what it waits for is nobody's event
            await asyncio.sleep(0.01)
    worker.stop()
    await running
    assert sorted((each.key, each.value) for each in buried) == [
        (b"", b""),
        (b"", b"no key"),
        (b"no value", b""),
        (b"null header", b"value"),
    ]
    tombstone = {
        "topic": outcomes_topic,
        "key": b"key",
        "headers": [("ce_specversion", b"1.0"), ("ce_type", OUTCOME_TYPE.encode())],
    }
    await asyncio.to_thread(put_elsewhere, kafka_address, tombstone)
    outcomes = await bus.subscribe([outcomes_topic], group="g")
    with pytest.raises(MalformedRecordError):
        read_outcome((await outcomes.receive()).record)
    await bus.close()
