"""Recalls as records of ``lacolle.recalled``: CloudEvents 1.0 in Kafka's binary mode, as ``bus.events`` has the others.

The value is one strict JSON object. The key names what is recalled, so that of two recalls of one thing the later one
says all that the earlier one did.
"""

from __future__ import annotations

from typing import Annotated, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from bus.contract import Record
from bus.headers import SPEC_VERSION, Headers, MalformedRecordError, encoded
from bus.topics import RECALLED
from schemas.ids import AgreementField, JurisdictionField
from schemas.parcels import Recall
from schemas.signing.strict_json import JsonError, parse_json
from schemas.timestamps import read_utc, utc_text

RECALL_TYPE: Final = "org.lacolle.recall.v1"
MOST_AS_OF: Final = 10**15 - 1
"""The latest state of a registry that a recall may name: what a parcel's header holds."""


def write_recall(recall: Recall, *, origin: str) -> Record:
    """Return the record that tells every adapter of the exchange ``origin``; ``at`` is cut to the millisecond."""
    name = f"{recall.agreement}/{recall.version or '*'}/{recall.party or '*'}"
    at = utc_text(recall.at)
    headers = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": f"{name}/{recall.as_of}/{at}",
        "ce_source": f"/{origin}",
        "ce_type": RECALL_TYPE,
        "ce_time": at,
        "content-type": "application/json",
    }
    body = {
        "agreement": recall.agreement,
        "version": recall.version,
        "party": recall.party,
        "as_of": recall.as_of,
        "at": at,
    }
    return Record(topic=RECALLED, key=name.encode(), value=orjson.dumps(body), headers=encoded(headers))


def read_recall(record: Record) -> Recall:
    """Return the recall that a record carries. Raises ``MalformedRecordError``."""
    Headers.of(record, event_type=RECALL_TYPE)
    try:
        body = _RecallBody.model_validate(parse_json(record.value))
        at = read_utc(body.at)
    except JsonError:
        raise MalformedRecordError("the value is not strict JSON") from None
    except ValueError:  # the model's refusal, or the instant's
        raise MalformedRecordError("the value is not a recall") from None
    return Recall(agreement=body.agreement, version=body.version, party=body.party, as_of=body.as_of, at=at)


class _RecallBody(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    agreement: AgreementField
    version: Annotated[int, Field(ge=1, le=999_999_999)] | None
    party: JurisdictionField | None
    as_of: Annotated[int, Field(ge=0, le=MOST_AS_OF)]
    at: str
