"""The AsyncAPI 3.0 document of the topics: what a partner that consumes its own two topics reads there.

Names, patterns and values are those that the bus itself writes with; a test holds real records against it.
"""

from __future__ import annotations

from typing import Any, Final

from bus.dead import DEAD_REASON, DEAD_TOPIC
from bus.events import MOST_ATTEMPTS, OUTCOME_TYPE, PARCEL_TYPE
from bus.headers import SPEC_VERSION
from bus.recalls import MOST_AS_OF, RECALL_TYPE
from bus.topics import OUTCOMES, RECALLED, dead_topic, parcels_topic
from schemas.alerts.catalogue import alert_types
from schemas.decisions import Lane
from schemas.ids import AGREEMENT_PATTERN, JURISDICTION_PATTERN, PARTICIPANT_PATTERN, UUID_PATTERN, ParticipantId

_VERSION: Final = "1"
_SLOT: Final = ParticipantId("{participant}")
_UUID: Final = {"type": "string", "pattern": UUID_PATTERN}
_PARTICIPANT: Final = {"type": "string", "pattern": PARTICIPANT_PATTERN}
_INSTANT: Final = {"type": "string", "format": "date-time"}
_TEXT: Final = {"type": "string", "minLength": 1}
_TRACE: Final = {**_TEXT, "description": "W3C Trace Context"}


def asyncapi_document() -> dict[str, Any]:
    """Return the document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Lacolle",
            "version": _VERSION,
            "description": "CloudEvents 1.0 in Kafka's binary mode. A partner may read its own two topics, no others.",
        },
        "channels": {
            **{lane.value: _parcels_channel(lane) for lane in Lane},
            "outcomes": _channel(OUTCOMES, "outcome", "What adapters report of deliveries, all partners together."),
            "recalled": _channel(
                RECALLED,
                "recall",
                "Agreements under which nothing on the bus goes out any more; every adapter reads all.",
            ),
            "dead": _channel(
                dead_topic(_SLOT), "dead", "Records that a partner's adapter could not read, unchanged.", of_one=True
            ),
        },
        "operations": {
            **{f"hand-over-{lane.value}": _operation("send", lane.value, "parcel") for lane in Lane},
            "recall": _operation("send", "recalled", "recall"),
            "hear-outcomes": _operation("receive", "outcomes", "outcome"),
            "give-up": _operation("send", "dead", "dead"),
        },
        "components": {"messages": {"parcel": _PARCEL, "outcome": _OUTCOME, "recall": _RECALL, "dead": _DEAD}},
    }


def _parcels_channel(lane: Lane) -> dict[str, Any]:
    told = f"One recipient's parcels in the {lane.value} lane, in order within a thread."
    return _channel(parcels_topic(_SLOT, lane), "parcel", told, of_one=True)


def _channel(address: str, message: str, description: str, *, of_one: bool = False) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": address,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
    }
    if of_one:
        channel["parameters"] = {"participant": {"description": "The participant's id", "examples": ["us-ny.nysp"]}}
    return channel


def _operation(action: str, channel: str, message: str) -> dict[str, Any]:
    """Return what the exchange does on a channel; whoever stands at its other end does the opposite."""
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _headers(members: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [name for name in members if name not in optional],
        "properties": members,
    }


_PARCEL: Final[dict[str, Any]] = {
    "title": "A parcel",
    "summary": "One recipient's copy of an alert: the signed submission as it arrived. Deduplicate on ce_id.",
    "contentType": "application/jose",
    "headers": _headers(
        {
            "ce_specversion": {"const": SPEC_VERSION},
            "ce_id": {**_UUID, "description": "The delivery's id"},
            "ce_source": {**_TEXT, "description": "The exchange: / and its log's origin"},
            "ce_type": {"const": PARCEL_TYPE},
            "ce_subject": {**_UUID, "description": "The alert's id"},
            "ce_time": _INSTANT,
            "ce_dataschema": {"type": "string", "format": "uri"},
            "ce_sender": _PARTICIPANT,
            "ce_agreement": {**_TEXT, "description": "What lets it pass: id/version#clause"},
            "ce_deadline": {**_INSTANT, "description": "After it nothing is handed over"},
            "ce_alerttype": {"enum": list(alert_types())},
            "ce_attempt": {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"},
            "ce_exercise": {"const": "true", "description": "Where the alert's status is not Actual"},
            "ce_asof": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,14})$", "description": "What let it out"},
            "content-type": _TEXT,
            "traceparent": _TRACE,
        },
        optional=("ce_exercise", "ce_asof", "traceparent"),
    ),
    "payload": {"type": "string", "description": "A compact JWS of typ alert+jws (RFC 7515)"},
    "bindings": {"kafka": {"key": {**_UUID, "description": "The thread: its first alert's id"}}},
}
_OUTCOME: Final[dict[str, Any]] = {
    "title": "An outcome",
    "summary": "What a partner's transport said of one attempt.",
    "contentType": "application/json",
    "headers": _headers(
        {
            "ce_specversion": {"const": SPEC_VERSION},
            "ce_id": _TEXT,
            "ce_source": _TEXT,
            "ce_type": {"const": OUTCOME_TYPE},
            "ce_subject": {**_UUID, "description": "The alert's id"},
            "ce_time": _INSTANT,
            "content-type": {"const": "application/json"},
            "traceparent": _TRACE,
        },
        optional=("traceparent",),
    ),
    "payload": {
        "type": "object",
        "additionalProperties": False,
        "required": ["delivery_id", "alert_id", "recipient", "attempt", "at", "outcome", "detail"],
        "properties": {
            "delivery_id": _UUID,
            "alert_id": _UUID,
            "recipient": _PARTICIPANT,
            "attempt": {"type": "integer", "minimum": 1, "maximum": MOST_ATTEMPTS},
            "at": _INSTANT,
            "outcome": {"enum": ["delivered", "deferred", "refused", "recalled"]},
            "detail": {"type": "string", "minLength": 1, "maxLength": 200},
            "retry_after": {"type": ["number", "null"], "minimum": 0, "description": "Seconds, where deferred"},
            "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of the bytes, where delivered"},
        },
    },
    "bindings": {"kafka": {"key": {**_UUID, "description": "The delivery's id"}}},
}
_RECALL: Final[dict[str, Any]] = {
    "title": "A recall",
    "summary": "Nothing is handed over any more that was let out under this agreement with a ce_asof up to as_of.",
    "contentType": "application/json",
    "headers": _headers(
        {
            "ce_specversion": {"const": SPEC_VERSION},
            "ce_id": _TEXT,
            "ce_source": {**_TEXT, "description": "The exchange: / and its log's origin"},
            "ce_type": {"const": RECALL_TYPE},
            "ce_time": _INSTANT,
            "content-type": {"const": "application/json"},
        }
    ),
    "payload": {
        "type": "object",
        "additionalProperties": False,
        "required": ["agreement", "version", "party", "as_of", "at"],
        "properties": {
            "agreement": {"type": "string", "pattern": AGREEMENT_PATTERN},
            "version": {"type": ["integer", "null"], "minimum": 1, "description": "null: every version"},
            "party": {
                "type": ["string", "null"],
                "pattern": JURISDICTION_PATTERN,
                "description": "Only what goes from or to this jurisdiction, which has left; null: everything",
            },
            "as_of": {"type": "integer", "minimum": 0, "maximum": MOST_AS_OF},
            "at": _INSTANT,
        },
    },
    "bindings": {"kafka": {"key": {**_TEXT, "description": "What is recalled: id/version/party"}}},
}
_DEAD: Final[dict[str, Any]] = {
    "title": "A dead record",
    "summary": "A record as it came, with two headers that say what happened.",
    "headers": _headers({DEAD_REASON: _TEXT, DEAD_TOPIC: _TEXT}),
    "payload": {},
}
