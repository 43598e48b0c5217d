"""POST /v1/alerts: what is stored, what comes again, and who may not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.agency import ALERTS, JOSE, Agencies, Agency, faults_of, members, problem_of
from tests.acceptance.alerts import (
    cancel_of,
    changed,
    from_now,
    new_identifier,
    outbreak,
    stolen_vehicle,
    update_of,
    wanted_person,
)
from tests.acceptance.independent import Document, b64, unb64

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BODY_LIMIT = 2 * 1024 * 1024


@pytest.mark.parametrize("number", [0, 1], ids=["Ed25519", "ES256"])
def test_accepted(sq: Agency, number: int) -> None:
    """An alert signed with either algorithm is stored: 201, its address, its receipt, who gets it by which clause."""
    answer = sq.post(sq.sign(stolen_vehicle(), sq.keys[number]))
    assert answer.status_code == 201
    body = members(answer)
    assert set(body) == {"alert_id", "log_index", "receipt", "recipients"}
    assert answer.headers["location"] == f"{ALERTS}/{body['alert_id']}"
    assert answer.headers["content-type"] == "application/json"
    assert body["recipients"] == [
        {"participant": "us-ny.nysp", "agreement": "ca-qc.us-ny.crime-2008/1", "clause": "3.1", "lane": "urgent"},
        {"participant": "us-vt.vsp", "agreement": "ca-qc.us-vt.law-enforcement/1", "clause": "2.1", "lane": "routine"},
    ]


def test_every_alert_has_an_index_of_its_own(sq: Agency) -> None:
    """Later alerts have later log indexes and ids of their own."""
    sent = [sq.send(stolen_vehicle()) for _ in range(4)]
    indexes = [body["log_index"] for body in sent]
    assert indexes == sorted(set(indexes))
    assert len({body["alert_id"] for body in sent}) == len(sent)


def _same_bytes(_: Agency, __: Document, submission: bytes) -> bytes:
    return submission


def _signed_later(sq: Agency, alert: Document, _: bytes) -> bytes:
    return sq.sign(alert, signed_ago=120)


def _signed_with_the_other_key(sq: Agency, alert: Document, _: bytes) -> bytes:
    return sq.sign(alert, sq.keys[1])


@pytest.mark.parametrize("again", [_same_bytes, _signed_later, _signed_with_the_other_key])
def test_sent_again(sq: Agency, again: Callable[[Agency, Document, bytes], bytes]) -> None:
    """The same payload sent again, however it is signed, gets 200 and the first answer, byte for byte."""
    alert = stolen_vehicle()
    submission = sq.sign(alert)
    first = sq.post(submission)
    second = sq.post(again(sq, alert, submission))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.content == first.content


def test_the_twin_of_a_signature(sq: Agency) -> None:
    """The other ECDSA signature that fits the same bytes makes no second alert."""
    submission = sq.sign(stolen_vehicle(), sq.keys[1])
    signing_input, _, signature = submission.decode().rpartition(".")
    r, s = unb64(signature)[:32], int.from_bytes(unb64(signature)[32:])
    twin = f"{signing_input}.{b64(r + (P256_ORDER - s).to_bytes(32))}".encode()
    first, second = sq.post(submission), sq.post(twin)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.content == first.content


def test_sent_again_after_it_expired(sq: Agency) -> None:
    """A submission that was accepted gets its first answer also when the alert has expired meanwhile."""
    alert = stolen_vehicle({"expires": from_now(seconds=3)})
    submission = sq.sign(alert)
    first = sq.post(submission)
    assert first.status_code == 201
    time.sleep(3.1)
    late = sq.post(submission)
    assert late.status_code == 200
    assert late.content == first.content
    assert "/expires" in faults_of(sq.submit({**alert, "identifier": new_identifier()}))


def test_identifier_reused(sq: Agency) -> None:
    """Other content under an identifier that its sender has used is refused, and the first alert stands."""
    alert = stolen_vehicle()
    first = sq.send(alert)
    assert problem_of(sq.submit(changed(alert, {"info.0.headline": "Autre"})), 409) == "identifier-reused"
    assert members(sq.submit(alert))["alert_id"] == first["alert_id"]


def test_reuse_is_told_before_validity(sq: Agency) -> None:
    """The payload counts, not its meaning: the same members in another order are other content."""
    alert = stolen_vehicle()
    sq.send(alert)
    assert problem_of(sq.submit(dict(reversed(alert.items()))), 409) == "identifier-reused"


def test_an_identifier_is_its_senders(agencies: Agencies) -> None:
    """Two senders may use one identifier; two alerts come of it."""
    identifier = new_identifier()
    first = agencies["ca-qc.sq"].send(stolen_vehicle({"identifier": identifier}))
    second = agencies["us-ny.nysp"].send(stolen_vehicle({"identifier": identifier}, sender="us-ny.nysp"))
    assert first["alert_id"] != second["alert_id"]


def test_not_permitted(agencies: Agencies) -> None:
    """A key may not speak for another sender, without the sender's role, or of a type that it may not send."""
    sq, cai = agencies["ca-qc.sq"], agencies["ca-qc.cai"]
    for agency, alert in (
        (sq, stolen_vehicle(sender="us-ny.nysp")),
        (sq, stolen_vehicle(sender="ca-qc.msp")),
        (sq, outbreak(sender="ca-qc.sq")),
        (cai, stolen_vehicle(sender="ca-qc.cai")),
    ):
        assert problem_of(agency.submit(alert), 403) == "not-permitted"
        assert agency.get(ALERTS, sender=alert["sender"], identifier=alert["identifier"]).status_code == 404


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b"A" * 65_536
    yield b"A" * (size % 65_536)


def test_body_too_large(sq: Agency) -> None:
    """A body over 2 MiB is refused, whether it says its length or comes in chunks; one of exactly that size is read."""
    too_large = BODY_LIMIT + 1
    assert problem_of(sq.post(b"A" * too_large), 413) == "body-too-large"
    assert problem_of(sq.http.post(ALERTS, content=_chunks(too_large), headers=JOSE), 413) == "body-too-large"
    assert problem_of(sq.post(b"A" * BODY_LIMIT), 400) == "malformed-submission"


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/jose+json", "text/plain", "application/octet-stream", "", "application"],
)
def test_other_media_types(sq: Agency, media_type: str) -> None:
    """Anything but application/jose is refused."""
    answer = sq.http.post(ALERTS, content=sq.sign(stolen_vehicle()), headers={"Content-Type": media_type})
    assert problem_of(answer, 415) == "unsupported-media-type"


def test_without_media_type(sq: Agency) -> None:
    """A body that does not say what it is is refused."""
    assert problem_of(sq.http.post(ALERTS, content=sq.sign(stolen_vehicle())), 415) == "unsupported-media-type"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity", "x-unknown", "gzip, gzip", ""])
def test_content_encodings(sq: Agency, coding: str) -> None:
    """Any Content-Encoding is refused unread, so that no small body can become a large one."""
    answer = sq.post(sq.sign(stolen_vehicle()), Content_Encoding=coding)
    assert problem_of(answer, 415) == "unsupported-media-type"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"unexpected": 1}, "/unexpected"),
        ({"info.0.unexpected": 1}, "/info/0/unexpected"),
        ({"body.vehicle.unexpected": 1}, "/body/vehicle/unexpected"),
        ({"status": "Real"}, "/status"),
        ({"msgType": "alert"}, "/msgType"),
        ({"scope": None}, "/scope"),
        ({"sent": "2026-01-17T19:05:09Z"}, "/sent"),
        ({"sent": "2026-01-17T14:05:09.5-05:00"}, "/sent"),
        ({"sent": "2026-02-30T14:05:09-05:00"}, "/sent"),
        ({"references": "none"}, "/references"),
        ({"references": ["ca-qc.sq,only-two"]}, "/references/0"),
        ({"identifier": "with space"}, "/identifier"),
        ({"identifier": ""}, "/identifier"),
        ({"handling.tlp": "WHITE"}, "/handling/tlp"),
        ({"handling.codes": ["H9"]}, "/handling/codes/0"),
        ({"info.0.severity": "Terrible"}, "/info/0/severity"),
        ({"info.0.category": []}, "/info/0/category"),
        ({"info.0.area.0.polygon": ["45,-73 45,-74 46,-74"]}, "/info/0/area/0/polygon/0"),
        ({"info.0.area.0.circle": ["95,-73 1"]}, "/info/0/area/0/circle/0"),
        ({"body.vehicle.vin": "OOOOOOOOOOOOOOOOO"}, "/body/vehicle/vin"),
        ({"body.vehicle.year": "2021"}, "/body/vehicle/year"),
        ({"body.vehicle.year": True}, "/body/vehicle/year"),
        ({"body.vehicle": {}}, "/body/vehicle"),
        ({"body": None}, "/body"),
        ({"type": "law-enforcement/stolen-vehicle/v9"}, "/type"),
        ({"type": 7}, "/type"),
        ({"sent": from_now(hours=1)}, "/sent"),
        ({"sent": from_now(days=-3), "expires": from_now(days=-2)}, "/expires"),
        ({"expires": from_now(hours=-1)}, "/expires"),
        ({"msgType": "Update"}, "/references"),
        ({"scope": "Private"}, "/addresses"),
        ({"handling.codes": ["H3"], "handling.caveat": None}, "/handling/caveat"),
    ],
)
def test_invalid_alerts(sq: Agency, changes: Document, pointer: str) -> None:
    """An alert that its type does not allow is refused with a pointer to the place, and is not there afterwards."""
    alert = stolen_vehicle(changes)
    assert pointer in faults_of(sq.submit(alert))
    if alert["identifier"]:
        assert sq.get(ALERTS, sender="ca-qc.sq", identifier=alert["identifier"]).status_code == 404


@pytest.mark.parametrize(
    "name", ["type", "identifier", "sender", "sent", "status", "msgType", "scope", "handling", "body"]
)
def test_missing_members(sq: Agency, name: str) -> None:
    """A header member that CAP or the exchange requires is pointed at where it is missing."""
    alert = stolen_vehicle()
    del alert[name]
    assert f"/{name}" in faults_of(sq.submit(alert))


@pytest.mark.parametrize("payload", [b"[]", b'"alert"', b"7", b"null"])
def test_other_json_than_an_object(sq: Agency, payload: bytes) -> None:
    """JSON that is no object is well signed and no alert."""
    assert "" in faults_of(sq.post(sq.sign(payload)))


def test_several_faults(sq: Agency) -> None:
    """Every place that is wrong by itself is named in one answer."""
    alert = stolen_vehicle({"status": "Real", "handling.tlp": "WHITE", "body.vehicle.year": "x", "info.0.urgency": 3})
    assert {"/status", "/handling/tlp", "/body/vehicle/year", "/info/0/urgency"} <= set(faults_of(sq.submit(alert)))


def test_cancel_of_an_unknown_alert(sq: Agency) -> None:
    """A Cancel of what the exchange never had is refused with a pointer to its references."""
    pointers = faults_of(sq.submit(cancel_of(stolen_vehicle())))
    assert any(pointer.startswith("/references") for pointer in pointers)


def test_cancel_of_anothers_alert(agencies: Agencies) -> None:
    """An alert that another agency sent is unknown to whoever wants to cancel it, and stays as it was."""
    alert = stolen_vehicle()
    sent = agencies["ca-qc.sq"].send(alert)
    vermont = agencies["us-vt.vsp"]
    recall = cancel_of(alert, {"sender": "us-vt.vsp"})
    assert any(pointer.startswith("/references") for pointer in faults_of(vermont.submit(recall)))
    assert {each["participant"] for each in agencies["ca-qc.sq"].read(sent["alert_id"])["deliveries"]} == {
        "us-ny.nysp",
        "us-vt.vsp",
    }


def test_update_of_an_unknown_alert(sq: Agency) -> None:
    """An Update of what the exchange never had is accepted as the first of its thread, with a warning."""
    body = sq.send(update_of(stolen_vehicle()))
    assert set(body) == {"alert_id", "log_index", "receipt", "recipients", "warnings"}
    assert body["warnings"]
    assert all(isinstance(warning, str) and warning for warning in body["warnings"])
    assert sq.read(body["alert_id"])["thread"] == body["alert_id"]


@pytest.mark.parametrize("successor", [update_of, cancel_of], ids=["update", "cancel"])
def test_whom_it_no_longer_reaches(sq: Agency, successor: Callable[..., Document]) -> None:
    """Who updates or cancels under a label that keeps it from those who were told hears so, beforehand too."""
    alert = wanted_person({"handling.tlp": "AMBER"})
    told = {each["participant"] for each in sq.send(alert)["recipients"]}
    strict, red = (successor(alert, {"handling.tlp": label}) for label in ("AMBER+STRICT", "RED"))
    for later, warning in ((strict, "reaches-part-of-thread"), (red, "reaches-none-of-thread")):
        assert members(sq.preview(later))["warnings"] == [warning]
        body = sq.send(later)
        assert body["warnings"] == [warning]
        assert {each["participant"] for each in body["recipients"]} < told
    unchanged = successor(alert)
    assert "warnings" not in members(sq.preview(unchanged))
    assert "warnings" not in sq.send(unchanged)


def test_nobody_to_tell(sq: Agency) -> None:
    """Where nobody received the alert its Cancel keeps nothing from anybody, and there is no warning."""
    alert = stolen_vehicle({"handling.tlp": "RED"})
    assert sq.send(alert)["recipients"] == []
    assert "warnings" not in sq.send(cancel_of(alert))


def test_an_update_joins_its_thread(sq: Agency) -> None:
    """An Update of a known alert carries no warning and belongs to the first alert's thread."""
    alert = wanted_person()
    first = sq.send(alert)
    second = sq.send(update_of(alert))
    assert "warnings" not in second
    assert sq.read(second["alert_id"])["thread"] == first["alert_id"]
