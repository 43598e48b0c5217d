"""Records that no adapter could handle: as they go to the dead topic, and as an operator looks at them there."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from bus.contract import Record
from bus.topics import UnknownTopicError, dead_topic, read_parcels_topic
from schemas.ids import UUID_PATTERN, DeliveryId, ParticipantId

DEAD_REASON: Final = "lacolle_dead_reason"
"""Header of a dead record: why it could not be handled."""
DEAD_TOPIC: Final = "lacolle_dead_topic"
"""Header of a dead record: the topic it came on."""

_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What may be told of a dead record: nothing of its content. What it does not say, or not as it should, is None."""

    reason: str | None
    topic: str | None
    delivery_id: DeliveryId | None


def dead_record(record: Record, *, participant: ParticipantId, reason: str) -> Record:
    """Return a record that could not be handled, unchanged but for its topic and two headers that say what happened."""
    kept = tuple(header for header in record.headers if header[0] not in (DEAD_REASON, DEAD_TOPIC))
    return replace(
        record,
        topic=dead_topic(participant),
        headers=(*kept, (DEAD_REASON, reason.encode()), (DEAD_TOPIC, record.topic.encode())),
    )


def read_dead(record: Record) -> DeadLetter:
    """Return what a record on a dead topic says of itself. It may be anything at all, and is fit to be shown."""
    topic, delivery_id = _text(record, DEAD_TOPIC), _text(record, "ce_id")
    return DeadLetter(
        reason=_text(record, DEAD_REASON),
        topic=topic if topic is not None and _is_parcels(topic) else None,
        delivery_id=DeliveryId(delivery_id) if delivery_id and re.fullmatch(UUID_PATTERN, delivery_id) else None,
    )


def _text(record: Record, name: str) -> str | None:
    """Return a header that occurs once and can be printed as it is; None of any other."""
    values = [value for header, value in record.headers if header == name]
    if len(values) != 1:
        return None
    try:
        text = values[0].decode()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= _LONGEST and text.isprintable() else None


def _is_parcels(topic: str) -> bool:
    try:
        read_parcels_topic(topic)
    except UnknownTopicError:
        return False
    return True
