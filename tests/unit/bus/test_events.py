"""Parcels and outcome reports as CloudEvents records: what is written reads back, and nothing else reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from hypothesis import given
from hypothesis import strategies as st

from bus.contract import Record
from bus.events import (
    MOST_ATTEMPTS,
    read_outcome,
    read_parcel,
    write_outcome,
    write_parcel,
)
from bus.headers import MalformedRecordError
from bus.recalls import MOST_AS_OF
from schemas.decisions import ClauseRef, Lane
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId, uuid7
from schemas.parcels import Deferred, Delivered, OutcomeReport, Parcel, Recalled, Refused
from tests.unit.bus.parcels import BODY, NOON, ORIGIN, parcel

PARCEL = parcel()
REPORT = OutcomeReport(
    delivery_id=PARCEL.delivery_id,
    alert_id=PARCEL.alert_id,
    recipient=PARCEL.recipient,
    attempt=1,
    at=NOON,
    outcome=Deferred("http 503", 30.0),
)

uuids = st.builds(
    lambda at, randomness: uuid7(at=at, randomness=randomness),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - timezones= adds it
    st.binary(min_size=10, max_size=10),
)
instants = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=40)
participants = st.sampled_from(["ca-qc.sq", "us-ny.state-police", "ca.rcmp-grc", "fr.x"]).map(ParticipantId)
attempts = st.integers(1, MOST_ATTEMPTS)
parcels = st.builds(
    Parcel,
    delivery_id=uuids.map(DeliveryId),
    alert_id=uuids.map(AlertId),
    thread=uuids.map(AlertId),
    recipient=participants,
    sender=participants,
    alert_type=st.sampled_from(["law-enforcement/stolen-vehicle/v1", "public-health/outbreak/v12"]).map(AlertType),
    lane=st.sampled_from(Lane),
    under=st.builds(ClauseRef, st.just(AgreementId("ca-qc.us-ny.crime-2008")), st.integers(1, 999), words),
    attempt=attempts,
    sent_at=instants,
    deadline=instants,
    exercise=st.booleans(),
    content_type=st.sampled_from(["application/jose", "application/json"]),
    data_schema=words,
    traceparent=st.sampled_from(["", PARCEL.traceparent]),
    body=st.binary(),
    manifest=st.sampled_from(["", "e30.e30.c2lnbmF0dXJl"]),
    as_of=st.integers(0, MOST_AS_OF),
)
outcomes = (
    st.builds(Delivered, words)
    | st.builds(Refused, words)
    | st.builds(Recalled, words)
    | st.builds(Deferred, words, st.none() | st.floats(0, 1e9, allow_nan=False))
)
reports = st.builds(
    OutcomeReport,
    delivery_id=uuids.map(DeliveryId),
    alert_id=uuids.map(AlertId),
    recipient=participants,
    attempt=attempts,
    at=instants,
    outcome=outcomes,
    traceparent=st.sampled_from(["", PARCEL.traceparent]),
)


def with_header(record: Record, name: str, value: bytes | None) -> Record:
    """Return the record with one header set, or without it."""
    others = tuple(header for header in record.headers if header[0] != name)
    return replace(record, headers=others if value is None else (*others, (name, value)))


@given(parcels)
def test_a_parcel_reads_back(sent: Parcel) -> None:
    """A parcel survives the bus unchanged, to the millisecond and the byte."""
    assert read_parcel(write_parcel(sent, origin=ORIGIN)) == sent


@given(reports)
def test_an_outcome_reads_back(report: OutcomeReport) -> None:
    """An outcome report survives the bus unchanged."""
    assert read_outcome(write_outcome(report, origin=ORIGIN)) == report


def test_a_parcel_has_the_headers_of_the_wire() -> None:
    """A partner that consumes its topic itself finds exactly the headers that it was promised."""
    record = write_parcel(replace(PARCEL, as_of=7), origin=ORIGIN)
    assert record.topic == "lacolle.to.us-ny.state-police.urgent"
    assert record.key == PARCEL.thread.encode()
    assert record.value == BODY
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": PARCEL.delivery_id.encode(),
        "ce_source": b"/exchange.example",
        "ce_type": b"org.lacolle.alert.v1",
        "ce_subject": PARCEL.alert_id.encode(),
        "ce_time": b"2026-01-17T12:00:00.250Z",
        "ce_dataschema": PARCEL.data_schema.encode(),
        "ce_sender": b"ca-qc.sq",
        "ce_agreement": b"ca-qc.us-ny.crime-2008/2#4.1",
        "ce_deadline": b"2026-01-17T18:00:00.250Z",
        "ce_alerttype": b"law-enforcement/stolen-vehicle/v1",
        "ce_attempt": b"1",
        "ce_asof": b"7",
        "content-type": b"application/jose",
        "traceparent": PARCEL.traceparent.encode(),
    }


def test_an_exercise_says_so() -> None:
    """What is not Actual carries ce_exercise, so that a partner can tell without opening the body."""
    record = write_parcel(replace(PARCEL, exercise=True), origin=ORIGIN)
    assert dict(record.headers)["ce_exercise"] == b"true"


def test_the_cloudevents_package_reads_a_parcel() -> None:
    """Another implementation of CloudEvents finds every attribute of a parcel, in the types of the specification."""
    record = write_parcel(PARCEL, origin=ORIGIN)
    event = from_binary_event(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
    assert event.get_id() == PARCEL.delivery_id
    assert event.get_source() == "/exchange.example"
    assert event.get_type() == "org.lacolle.alert.v1"
    assert event.get_subject() == PARCEL.alert_id
    assert event.get_time() == PARCEL.sent_at
    assert event.get_datacontenttype() == "application/jose"
    assert event.get_dataschema() == PARCEL.data_schema
    assert event.get_extension("sender") == "ca-qc.sq"
    assert event.get_extension("agreement") == "ca-qc.us-ny.crime-2008/2#4.1"
    assert event.get_extension("partitionkey") == PARCEL.thread


def test_the_cloudevents_package_reads_an_outcome() -> None:
    """Another implementation of CloudEvents reads an outcome report and its JSON."""
    record = write_outcome(REPORT, origin=ORIGIN)
    event = from_binary_event(KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value))
    assert event.get_type() == "org.lacolle.outcome.v1"
    assert event.get_source() == "/exchange.example/adapters/us-ny.state-police"
    assert event.get_data() == {
        "delivery_id": REPORT.delivery_id,
        "alert_id": REPORT.alert_id,
        "recipient": "us-ny.state-police",
        "attempt": 1,
        "at": "2026-01-17T12:00:00.250Z",
        "outcome": "deferred",
        "detail": "http 503",
        "retry_after": 30.0,
    }


def test_two_outcomes_of_one_attempt_are_two_events() -> None:
    """A redelivery may end otherwise than the first time, so its report must not pass for the first one's twin."""
    first = dict(write_outcome(REPORT, origin=ORIGIN).headers)["ce_id"]
    again = dict(write_outcome(REPORT, origin=ORIGIN).headers)["ce_id"]
    later = replace(REPORT, at=NOON.replace(second=1), outcome=Delivered("http 200"))
    assert first == again
    assert first != dict(write_outcome(later, origin=ORIGIN).headers)["ce_id"]


def test_a_header_of_someone_else_is_left_alone() -> None:
    """An extension that a later exchange adds does not stop an adapter of today."""
    record = with_header(write_parcel(PARCEL, origin=ORIGIN), "ce_later", b"\xff")
    assert read_parcel(record) == PARCEL


REQUIRED = [
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_subject",
    "ce_time",
    "ce_dataschema",
    "ce_sender",
    "ce_agreement",
    "ce_deadline",
    "ce_alerttype",
    "ce_attempt",
    "content-type",
]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_header_is_malformed(name: str) -> None:
    """A parcel that lacks an attribute is refused by that attribute's name, and nothing is made up for it."""
    with pytest.raises(MalformedRecordError, match=f"^{name} is missing$"):
        read_parcel(with_header(write_parcel(PARCEL, origin=ORIGIN), name, None))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_type", b"org.lacolle.outcome.v1"),
        ("ce_id", b"4"),
        ("ce_id", PARCEL.delivery_id.encode() + b"\n"),
        ("ce_subject", PARCEL.alert_id.upper().encode()),
        ("ce_time", b"2026-01-17 12:00:00Z"),
        ("ce_time", b"2026-01-17T12:00:00+00:00"),
        ("ce_time", b"2026-13-17T12:00:00Z"),
        ("ce_time", "\uff12026-01-17T12:00:00Z".encode()),
        ("ce_deadline", b""),
        ("ce_sender", b"ca-qc"),
        ("ce_agreement", b"ca-qc.us-ny.crime-2008/0#4"),
        ("ce_agreement", b"ca-qc.us-ny.crime-2008/1"),
        ("ce_alerttype", b"stolen-vehicle"),
        ("ce_attempt", b"0"),
        ("ce_attempt", b"1.0"),
        ("ce_exercise", b"false"),
        ("content-type", b""),
        ("content-type", b"\xff"),
        ("traceparent", b"a\r\nb"),
    ],
)
def test_a_header_that_is_not_as_it_should_be_is_malformed(name: str, value: bytes) -> None:
    """A wrong value is refused by the header's name; neither it nor the body is repeated."""
    with pytest.raises(MalformedRecordError) as refusal:
        read_parcel(with_header(write_parcel(PARCEL, origin=ORIGIN), name, value))
    assert refusal.value.reason == f"{name} is not as it should be"


def test_a_header_twice_is_malformed() -> None:
    """Two values for one name mean two things to two readers, so the record means nothing."""
    record = write_parcel(PARCEL, origin=ORIGIN)
    with pytest.raises(MalformedRecordError, match="twice"):
        read_parcel(replace(record, headers=(*record.headers, ("ce_id", PARCEL.delivery_id.encode()))))


@pytest.mark.parametrize("topic", ["lacolle.outcomes", "lacolle.to.ca-qc.sq", "elsewhere"])
def test_a_parcel_on_another_topic_is_malformed(topic: str) -> None:
    """The topic is who a parcel is for; elsewhere it is for nobody."""
    with pytest.raises(MalformedRecordError, match="topic"):
        read_parcel(replace(write_parcel(PARCEL, origin=ORIGIN), topic=topic))


def test_a_key_that_is_no_thread_is_malformed() -> None:
    """The key orders, so it must be the thread."""
    with pytest.raises(MalformedRecordError, match="the key"):
        read_parcel(replace(write_parcel(PARCEL, origin=ORIGIN), key=b"thread"))


@given(st.lists(st.tuples(st.sampled_from([*REQUIRED, "x"]), st.binary(max_size=40))), st.binary(max_size=40))
def test_nothing_else_comes_of_a_strange_record(headers: list[tuple[str, bytes]], key: bytes) -> None:
    """Whatever stands on the topic, reading it says malformed and raises nothing else."""
    record = Record("lacolle.to.ca-qc.sq.urgent", key, BODY, tuple(headers))
    with pytest.raises(MalformedRecordError) as refusal:
        read_parcel(record)
    assert BODY.decode() not in refusal.value.reason


def _outcome_with(**members: object) -> Record:
    record = write_outcome(REPORT, origin=ORIGIN)
    body = {**orjson.loads(record.value), **members}
    return replace(record, value=orjson.dumps({name: value for name, value in body.items() if value != "absent"}))


@pytest.mark.parametrize(
    "members",
    [
        {"delivery_id": "absent"},
        {"delivery_id": "4"},
        {"recipient": "somebody"},
        {"attempt": "1"},
        {"attempt": 0},
        {"attempt": 1_000_000_000},
        {"attempt": True},
        {"at": "yesterday"},
        {"at": 1768651200},
        {"outcome": "lost"},
        {"outcome": "delivered"},
        {"detail": ""},
        {"detail": "x" * 201},
        {"retry_after": -1},
        {"retry_after": "30"},
        {"body": "more"},
    ],
)
def test_an_outcome_is_read_strictly(members: dict[str, object]) -> None:
    """A member that is missing, added, mistyped or out of place makes the report malformed, not almost right."""
    with pytest.raises(MalformedRecordError):
        read_outcome(_outcome_with(**members))


@pytest.mark.parametrize("value", [b"", b"[]", b"{", b'{"attempt": 1, "attempt": 2}', b"\xff"])
def test_an_outcome_that_is_not_strict_json_is_malformed(value: bytes) -> None:
    """A value that is not one JSON object with each member once is no report."""
    with pytest.raises(MalformedRecordError):
        read_outcome(replace(write_outcome(REPORT, origin=ORIGIN), value=value))


def test_a_parcel_is_no_outcome() -> None:
    """The type is checked first, so one kind of record never passes for the other."""
    with pytest.raises(MalformedRecordError, match="ce_type"):
        read_outcome(write_parcel(PARCEL, origin=ORIGIN))
