"""Parcels and outcome reports as records: CloudEvents 1.0 in Kafka's binary mode.

Attributes travel as headers ``ce_<name>`` and ``content-type`` (CloudEvents Kafka binding, section 3.2), everything
else as WIRE "On Kafka" has it. What an adapter must know and no attribute there tells, travels so:

=============  =======================================================================
lane           the topic's last label
recipient      the topic
thread         the record's key
alert type     ``ce_alerttype``, so that no adapter needs to open the body to know it
attempt        ``ce_attempt``, a decimal integer from 1
manifest       ``ce_manifest``, a compact JWS, beside a copy that does not hold its own
as of          ``ce_asof``, a decimal integer; 0 where there is none
=============  =======================================================================

A parcel's value is its body, untouched. An outcome's value is one strict JSON object and its key the delivery id, so
that the reports of one delivery arrive in order. Headers that are not ours are left alone, as CloudEvents asks of a
consumer; a header of ours that is missing, doubled or not as it should be makes the whole record malformed.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, assert_never

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from bus.contract import Record
from bus.headers import SPEC_VERSION, TEXT, Headers, MalformedRecordError, checked, encoded
from bus.topics import OUTCOMES, UnknownTopicError, parcels_topic, read_parcels_topic
from schemas.decisions import ClauseRef
from schemas.ids import (
    AGREEMENT_PATTERN,
    ALERT_TYPE_PATTERN,
    PARTICIPANT_PATTERN,
    UUID_PATTERN,
    AgreementId,
    AlertId,
    AlertIdField,
    AlertType,
    DeliveryId,
    DeliveryIdField,
    ParticipantField,
    ParticipantId,
)
from schemas.parcels import Deferred, Delivered, Outcome, OutcomeReport, Parcel, Recalled, Refused
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import read_utc, utc_text

PARCEL_TYPE: Final = "org.lacolle.alert.v1"
OUTCOME_TYPE: Final = "org.lacolle.outcome.v1"

_CLAUSE: Final = (
    rf"(?P<agreement>{AGREEMENT_PATTERN.strip('^$')})/(?P<version>[1-9][0-9]{{0,8}})#(?P<clause>.{{1,200}})"
)
_ATTEMPT: Final = r"[1-9][0-9]{0,8}"
_AS_OF: Final = r"0|[1-9][0-9]{0,14}"
MOST_ATTEMPTS: Final = 999_999_999
"""The highest number that an attempt may have, in a parcel as in an outcome: what the header holds, and the store."""
_COMPACT_JWS: Final = r"[A-Za-z0-9_-]{1,1000}\.[A-Za-z0-9_-]{1,100000}\.[A-Za-z0-9_-]{1,1000}"


def parcel_attributes(parcel: Parcel, *, origin: str) -> dict[str, str]:
    """Return a parcel's CloudEvents attributes, by their names in the specification.

    ``origin`` is the exchange's, as in its log. Instants are cut to the millisecond. The media type and the trace
    are not among them: each binding has headers of its own for those.
    """
    attributes = {
        "specversion": SPEC_VERSION,
        "id": parcel.delivery_id,
        "source": f"/{origin}",
        "type": PARCEL_TYPE,
        "subject": parcel.alert_id,
        "time": utc_text(parcel.sent_at),
        "dataschema": parcel.data_schema,
        "sender": parcel.sender,
        "agreement": str(parcel.under),
        "deadline": utc_text(parcel.deadline),
        "alerttype": parcel.alert_type,
        "attempt": str(parcel.attempt),
    }
    if parcel.exercise:
        attributes["exercise"] = "true"
    if parcel.manifest:
        attributes["manifest"] = parcel.manifest
    return attributes


def write_parcel(parcel: Parcel, *, origin: str) -> Record:
    """Return the record that carries a parcel from the exchange ``origin``; an empty trace is left out."""
    headers = {f"ce_{name}": value for name, value in parcel_attributes(parcel, origin=origin).items()}
    headers["ce_asof"] = str(parcel.as_of)
    headers["content-type"] = parcel.content_type
    if parcel.traceparent:
        headers["traceparent"] = parcel.traceparent
    return Record(
        topic=parcels_topic(parcel.recipient, parcel.lane),
        key=parcel.thread.encode(),
        value=parcel.body,
        headers=encoded(headers),
    )


def read_parcel(record: Record) -> Parcel:
    """Return the parcel that a record carries. Raises ``MalformedRecordError``."""
    headers = Headers.of(record, event_type=PARCEL_TYPE)
    try:
        recipient, lane = read_parcels_topic(record.topic)
    except UnknownTopicError:
        raise MalformedRecordError("the topic is not a recipient's") from None
    under = headers.match("ce_agreement", _CLAUSE)
    return Parcel(
        delivery_id=DeliveryId(headers.text("ce_id", UUID_PATTERN)),
        alert_id=AlertId(headers.text("ce_subject", UUID_PATTERN)),
        thread=AlertId(checked("the key", record.key, UUID_PATTERN).string),
        recipient=recipient,
        sender=ParticipantId(headers.text("ce_sender", PARTICIPANT_PATTERN)),
        alert_type=AlertType(headers.text("ce_alerttype", ALERT_TYPE_PATTERN)),
        lane=lane,
        under=ClauseRef(AgreementId(under["agreement"]), int(under["version"]), under["clause"]),
        attempt=int(headers.text("ce_attempt", _ATTEMPT)),
        sent_at=headers.instant("ce_time"),
        deadline=headers.instant("ce_deadline"),
        exercise="ce_exercise" in headers and bool(headers.text("ce_exercise", "true")),
        content_type=headers.text("content-type", TEXT),
        data_schema=headers.text("ce_dataschema", TEXT),
        traceparent=headers.trace(),
        body=record.value,
        manifest=headers.text("ce_manifest", _COMPACT_JWS) if "ce_manifest" in headers else "",
        as_of=int(headers.text("ce_asof", _AS_OF)) if "ce_asof" in headers else 0,
    )


def write_outcome(report: OutcomeReport, *, origin: str) -> Record:
    """Return the record that brings an outcome back to the exchange ``origin``.

    The event's id is made of what the report says, so reports that say the same are one event, and no others are; an
    empty trace is left out.
    """
    at = utc_text(report.at)
    headers = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": f"{report.delivery_id}/{report.attempt}/{at}",
        "ce_source": f"/{origin}/adapters/{report.recipient}",
        "ce_type": OUTCOME_TYPE,
        "ce_subject": report.alert_id,
        "ce_time": at,
        "content-type": "application/json",
    }
    if report.traceparent:
        headers["traceparent"] = report.traceparent
    body = {
        "delivery_id": report.delivery_id,
        "alert_id": report.alert_id,
        "recipient": report.recipient,
        "attempt": report.attempt,
        "at": at,
        **_outcome_members(report.outcome),
    }
    return Record(topic=OUTCOMES, key=report.delivery_id.encode(), value=orjson.dumps(body), headers=encoded(headers))


def read_outcome(record: Record) -> OutcomeReport:
    """Return the outcome report that a record carries. Raises ``MalformedRecordError``."""
    headers = Headers.of(record, event_type=OUTCOME_TYPE)
    traceparent = headers.trace()
    try:
        body = _OutcomeBody.model_validate(parse_json(record.value))
        at = read_utc(body.at)
    except JsonError:
        raise MalformedRecordError("the value is not strict JSON") from None
    except ValueError:  # the model's refusal, or the instant's
        raise MalformedRecordError("the value is not an outcome report") from None
    return OutcomeReport(
        delivery_id=body.delivery_id,
        alert_id=body.alert_id,
        recipient=body.recipient,
        attempt=body.attempt,
        at=at,
        outcome=body.outcome_value(),
        traceparent=traceparent,
    )


class _OutcomeBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    delivery_id: DeliveryIdField
    alert_id: AlertIdField
    recipient: ParticipantField
    attempt: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)]
    at: str
    outcome: Literal["delivered", "deferred", "refused", "recalled"]
    detail: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    retry_after: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _each_member_in_its_place(self) -> Self:
        if self.retry_after is not None and self.outcome != "deferred":
            raise ValueError("only a deferred outcome can be retried")
        if self.digest is not None and self.outcome != "delivered":
            raise ValueError("only what was delivered has bytes that the partner took")
        return self

    def outcome_value(self) -> Outcome:
        match self.outcome:
            case "delivered":
                return Delivered(self.detail, self.digest or "")
            case "deferred":
                return Deferred(self.detail, self.retry_after)
            case "refused":
                return Refused(self.detail)
            case "recalled":
                return Recalled(self.detail)
            case _:
                assert_never(self.outcome)


def _outcome_members(outcome: Outcome) -> dict[str, str | float | None]:
    match outcome:
        case Delivered(detail, digest):
            return {"outcome": "delivered", "detail": detail, **({"digest": digest} if digest else {})}
        case Deferred(detail, retry_after):
            return {"outcome": "deferred", "detail": detail, "retry_after": retry_after}
        case Refused(detail):
            return {"outcome": "refused", "detail": detail}
        case Recalled(detail):
            return {"outcome": "recalled", "detail": detail}
        case _:
            assert_never(outcome)
