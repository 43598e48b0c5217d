"""What is withheld reaches neither the bus, nor an adapter, nor a log: from the stored submission to both formats.

The pure tests of withholding hold copies to an oracle of their own; here the same oracle reads everything else that
leaves with them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from adapters.formats import Format, UntranslatableError, writer_of
from bus.contract import BusUnavailableError, Record
from bus.events import read_outcome, read_parcel
from bus.topics import OUTCOMES
from gateway.relaying.publishing import ParcelPublisher
from gateway.store.terms import terms_text
from schemas.decisions import Terms, Withholding
from schemas.ids import AlertId, AlertType
from schemas.parcels import Parcel, Refused
from schemas.signing.jws import ALERT, sign_compact
from schemas.signing.sd_jwt_issuing import issue
from schemas.tracing import UNTRACED
from schemas.withholding.copies import CopyForm
from schemas.withholding.disclosable import disclosable
from tests.unit.gateway.ground import COPIES, NYSP, ORIGIN, RECEIPT_KEY, SQ, START, contents
from tests.unit.schemas.withholding.documents import ALERT_ID, Json
from tests.unit.schemas.withholding.test_properties import leaks, lost_values, shown, worlds

MADE = re.compile("pseudonym:[A-Za-z0-9_-]{22}")
EXCHANGES_OWN = {"ce_manifest", "ce_id", "ce_subject", "ce_time", "ce_deadline", "traceparent"}
"""Headers of digests, ids and instants that the exchange makes: any short run of digits may stand there by chance."""
TIMES = re.compile(r"\d{4}-\d\d-\d\dt[\d:.]{5,12}(z|[-+]\d\d:\d\d)")


class Keeping:
    """A bus that keeps what it is given, or is away."""

    def __init__(self, *, away: bool) -> None:
        self.away = away
        self.records: list[Record] = []

    async def publish(self, record: Record) -> None:
        """Keep a record."""
        await self.publish_all([record])

    async def publish_all(self, records: Any) -> None:  # noqa: ANN401 - whatever sequence the contract has
        """Keep records. Raises ``BusUnavailableError`` where it is away."""
        if self.away:
            raise BusUnavailableError("away")
        self.records += records


def submission(document: Json, *, separable: bool) -> bytes:
    """Return the document signed in one of the two forms."""
    iat = int(START.timestamp())
    if not separable:
        return sign_compact(orjson.dumps(document), key=RECEIPT_KEY, profile=ALERT, iat=iat)
    parts = (*disclosable(AlertType(document["type"])), "/body/*")
    dice = Random(7)  # noqa: S311 - salts of a test
    return issue(document, disclosable=parts, key=RECEIPT_KEY, iat=iat, randomness=dice.randbytes)


def row(document: Json, submitted: bytes, withheld: list[Withholding]) -> Any:  # noqa: ANN401 - a row of a query
    """Return a pending dispatch of the document as the relay reads it."""
    until, today = START.date().replace(year=START.year + 1), START.date()
    sealed = contents().seal(AlertId(ALERT_ID), submitted, until=until, today=today, randomness=Random(7).randbytes)  # noqa: S311 - keys of a test
    return SimpleNamespace(
        delivery_id=ALERT_ID.replace("8", "9", 1),
        alert_id=ALERT_ID,
        thread=ALERT_ID,
        recipient=NYSP,
        sender=SQ,
        type=document["type"],
        lane="urgent",
        agreement="ca-qc.us-ny.test",
        version=1,
        clause="1.1",
        attempts=0,
        received_ms=int(START.timestamp() * 1000),
        deadline_ms=int(START.timestamp() * 1000) + 60_000,
        status="Actual",
        traceparent=None,
        submission=sealed.data,
        wrapped_by=sealed.key.by,
        wrapped=sealed.key.wrapped,
        terms=terms_text(Terms(tuple(withheld))),
    )


def read_off(parcel: Parcel) -> str:
    """Return all that can be read off a parcel's copy."""
    first, *disclosures = parcel.body.split(b"~")
    payload = json.loads(base64.urlsafe_b64decode(first.split(b".")[1] + b"=="))
    match parcel.content_type:
        case CopyForm.DERIVED:
            return shown(payload["alert"])
        case CopyForm.PRESENTED:
            contents = [json.loads(base64.urlsafe_b64decode(each + b"==")) for each in disclosures if each]
            return shown({**payload, "disclosed": [each[1:] for each in contents]})
        case other:
            pytest.fail(f"an alert from which something is withheld went out as {other}")


async def publish(document: Json, withheld: list[Withholding], *, separable: bool, away: bool) -> list[Record]:
    """Publish one dispatch, and return what the bus was given."""
    bus = Keeping(away=away)
    publisher = ParcelPublisher(
        bus,
        contents=contents(),
        copies=COPIES,
        clock=lambda: START,
        origin=ORIGIN,
        data_schema_base="https://gateway.example/v1/schemas",
        tracing=UNTRACED,
    )
    submitted = submission(document, separable=separable)
    outgoing = publisher.outgoing(
        row(document, submitted, withheld), until=START.replace(year=START.year + 1), as_of=0, is_logged=True
    )
    await publisher.publish([outgoing])
    return bus.records


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(world=worlds(), separable=st.booleans(), away=st.sampled_from([False, False, False, True]))
def test_nothing_withheld_leaves_the_exchange(
    *, world: tuple[Json, list[Withholding]], separable: bool, away: bool
) -> None:
    """Neither a record's value, its headers, what an adapter makes of it, nor a log line holds a withheld value."""
    document, withheld = world
    lost = lost_values(document, withheld)
    with capture_logs() as logged:
        records = asyncio.run(publish(document, withheld, separable=separable, away=away))
    assert not leaks(document, withheld, json.dumps(logged).lower())
    for record in records:
        if record.topic == OUTCOMES:  # no copy could be made
            assert read_outcome(record).outcome == Refused("copy: cannot be made")
            assert not leaks(document, withheld, record.value.decode().lower())
            continue
        headers = " ".join(value.decode() for name, value in record.headers if name not in EXCHANGES_OWN).lower()
        assert not [each for each in lost if each.lower() in headers]
        parcel = read_parcel(record)
        assert leaks(document, withheld, TIMES.sub("", MADE.sub("", read_off(parcel)))) == []
        for form in Format:
            try:
                message = writer_of(form)(parcel)
            except UntranslatableError:
                continue
            if form is Format.CAP:
                text = TIMES.sub("", MADE.sub("", message.body.decode().lower()))
                assert [each for each in lost if f">{each.lower()}<" in text] == []
