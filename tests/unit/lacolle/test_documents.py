"""The documents a client makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lacolle.client import documents
from lacolle.errors import InvalidAcknowledgementError
from schemas.alerts.catalogue import InvalidAlertError, parse_alert
from schemas.evidence import Acknowledgement
from schemas.ids import ParticipantId
from schemas.signing.jws import ACKNOWLEDGEMENT, ALERT, read_compact, verify
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue, parse_json

NOW = datetime(2026, 1, 17, 19, 5, 9, 999_000, tzinfo=UTC)
ALERT_ID = "019bcd9f-1234-7abc-8def-0123456789ab"
DELIVERY_ID = "019bcd9f-5678-7abc-8def-0123456789ab"


def test_a_submission_is_the_alert_signed(key: SigningKey, alert: dict[str, JsonValue]) -> None:
    """A submission has WIRE's header, the signing time in whole seconds, and says what the alert says."""
    unverified = read_compact(documents.signed_alert(alert, key=key, now=NOW), ALERT)
    assert unverified.iat == 1_768_676_709
    assert parse_json(verify(unverified, key.public)) == alert


def test_signing_again_keeps_the_payload(key: SigningKey, alert: dict[str, JsonValue]) -> None:
    """The same alert signed later, its members in another order, has the same payload: the exchange knows it again."""
    first = documents.signed_alert(alert, key=key, now=NOW)
    reordered = dict(reversed(alert.items()))
    second = documents.signed_alert(reordered, key=key, now=NOW + timedelta(seconds=10))
    assert first.split(b".")[1] == second.split(b".")[1]
    assert first.split(b".")[0] != second.split(b".")[0]


def test_an_invalid_alert_is_not_signed(key: SigningKey, alert: dict[str, JsonValue]) -> None:
    """An alert that the exchange would refuse is refused here, with its place, unless the caller insists."""
    del alert["status"]
    with pytest.raises(InvalidAlertError) as refused:
        documents.signed_alert(alert, key=key, now=NOW)
    assert [fault.pointer for fault in refused.value.faults] == ["/status"]
    assert documents.signed_alert(alert, key=key, now=NOW, unchecked=True)


def test_an_update_names_all_it_replaces(alert: dict[str, JsonValue]) -> None:
    """An Update refers to the alert it replaces and to all that one replaced, and is valid."""
    first = documents.update_of(alert, {**alert, "identifier": "SQ-2", "sent": "2026-01-17T15:00:00-05:00"})
    second = documents.update_of(first, {**alert, "identifier": "SQ-3", "sent": "2026-01-17T16:00:00-05:00"})
    assert second["msgType"] == "Update"
    assert second["references"] == [
        "ca-qc.sq,SQ-2026-0117-0042,2026-01-17T14:05:09-05:00",
        "ca-qc.sq,SQ-2,2026-01-17T15:00:00-05:00",
    ]
    assert parse_alert(second).msgType == "Update"


def test_a_cancellation_recalls_the_alert(alert: dict[str, JsonValue]) -> None:
    """A Cancel has its own identifier and time, refers to the alert, and is valid; the original is left as it was."""
    before = dict(alert)
    cancelled = documents.cancellation_of(alert, identifier="SQ-2026-0117-0043", now=NOW)
    assert parse_alert(cancelled).msgType == "Cancel"
    assert cancelled["identifier"] == "SQ-2026-0117-0043"
    assert cancelled["references"] == ["ca-qc.sq,SQ-2026-0117-0042,2026-01-17T14:05:09-05:00"]
    assert alert == before


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW, "2026-01-17T19:05:09-00:00"),
        (NOW.astimezone(timezone(timedelta(hours=-5))), "2026-01-17T14:05:09-05:00"),
        (NOW.astimezone(timezone(timedelta(hours=1))), "2026-01-17T20:05:09+01:00"),
    ],
)
def test_times_have_caps_form(at: datetime, text: str) -> None:
    """A time is written with its numeric offset and without fractions, UTC as -00:00 (CAP 1.2 section 3.3.2)."""
    assert documents.cap_time(at) == text


@pytest.mark.parametrize("note", [None, "Véhicule retrouvé."])
def test_an_acknowledgement_is_signed_as_the_exchange_reads_it(key: SigningKey, note: str | None) -> None:
    """A signed acknowledgement reads back as the same word, and holds no note where none was given."""
    word = documents.acknowledgement(
        alert_id=ALERT_ID,
        delivery_id=DELIVERY_ID,
        participant=ParticipantId("us-ny.nysp"),
        status="acted-on",
        at=NOW,
        note=note,
    )
    signed = documents.signed_acknowledgement(word, key=key, now=NOW)
    payload = parse_json(verify(read_compact(signed, ACKNOWLEDGEMENT), key.public))
    assert Acknowledgement.model_validate(payload) == word
    assert isinstance(payload, dict)
    assert ("note" in payload) == (note is not None)


@pytest.mark.parametrize("changes", [{"alert_id": "42"}, {"delivery_id": ""}, {"status": "seen"}, {"note": "x" * 4001}])
def test_an_impossible_acknowledgement_is_refused(changes: dict[str, str]) -> None:
    """An acknowledgement that the exchange could not take is refused before it is signed, in both languages."""
    said = {"alert_id": ALERT_ID, "delivery_id": DELIVERY_ID, "status": "read", "note": None, **changes}
    with pytest.raises(InvalidAcknowledgementError) as refused:
        documents.acknowledgement(**said, participant=ParticipantId("us-ny.nysp"), at=NOW)  # type: ignore[arg-type]  # the point
    assert refused.value.in_language("fr") != refused.value.in_language("en")
