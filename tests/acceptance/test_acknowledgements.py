"""A recipient's own signed word about what became of its delivery."""

from __future__ import annotations

import pytest

from tests.acceptance.agency import ALERTS, Agencies, Agency, faults_of, members, problem_of, utc_now
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.independent import Document, Key


class Received:
    """A stolen vehicle that New York's police received."""

    def __init__(self, agencies: Agencies) -> None:
        self.sender, self.recipient = agencies["ca-qc.sq"], agencies["us-ny.nysp"]
        self.alert_id = self.sender.send(stolen_vehicle())["alert_id"]
        self.delivery_id = self._delivery_of(self.recipient)

    def _delivery_of(self, reader: Agency) -> str:
        [delivery] = reader.read(self.alert_id)["deliveries"]
        return str(delivery["delivery_id"])

    def acknowledgements(self) -> list[Document]:
        """Return what the sender sees of the recipient's word."""
        deliveries = self.sender.read(self.alert_id)["deliveries"]
        return next(each["acknowledgements"] for each in deliveries if each["participant"] == "us-ny.nysp")


@pytest.fixture
def received(agencies: Agencies) -> Received:
    """Return a delivery that waits for its recipient's word."""
    return Received(agencies)


def test_each_status(received: Received) -> None:
    """Received, read and acted on are each recorded, in order, and the sender sees the recipient's signed bytes."""
    for status in ("received", "read", "acted-on"):
        answer = received.recipient.acknowledge(received.alert_id, received.delivery_id, status=status, note="lu")
        assert answer.status_code == 201
        assert members(answer)["status"] == status
    seen = received.acknowledgements()
    assert [each["status"] for each in seen] == ["received", "read", "acted-on"]
    assert all(each["signed"].count(".") == 2 for each in seen)


def test_rejected(received: Received) -> None:
    """A recipient may say that it will not act, and why."""
    answer = received.recipient.acknowledge(received.alert_id, received.delivery_id, status="rejected", note="doublon")
    assert answer.status_code == 201


def test_said_again(received: Received) -> None:
    """The same word said again is the same acknowledgement, with the same place in the log."""
    first = received.recipient.acknowledge(received.alert_id, received.delivery_id)
    second = received.recipient.acknowledge(received.alert_id, received.delivery_id)
    assert (first.status_code, second.status_code) == (201, 200)
    assert members(first)["log_index"] == members(second)["log_index"]
    assert len(received.acknowledgements()) == 1


def test_who_may_not(agencies: Agencies, received: Received) -> None:
    """Nobody but the recipient can speak of its delivery, and to strangers there is no such alert."""
    vermont = agencies["us-vt.vsp"]
    assert vermont.acknowledge(received.alert_id, received.delivery_id).status_code in (403, 404)
    assert received.sender.acknowledge(received.alert_id, received.delivery_id).status_code in (403, 404)
    assert agencies["ca-qc.cai"].acknowledge(received.alert_id, received.delivery_id).status_code in (403, 404)
    maine = agencies["us-me.msp"]
    assert problem_of(maine.acknowledge(received.alert_id, received.delivery_id), 404) == "not-found"
    assert received.acknowledgements() == []


def test_in_anothers_name(agencies: Agencies, received: Received) -> None:
    """A word that names another participant than its key's is refused."""
    vermont = agencies["us-vt.vsp"]
    answer = vermont.acknowledge(received.alert_id, received.delivery_id, participant="us-ny.nysp")
    assert answer.status_code in (403, 404)
    assert received.acknowledgements() == []


def test_signatures(received: Received) -> None:
    """An acknowledgement needs a trusted signature, of its own type."""
    word = {
        "alert_id": received.alert_id,
        "delivery_id": received.delivery_id,
        "participant": "us-ny.nysp",
        "status": "received",
        "at": utc_now(),
    }
    path, ny = f"{ALERTS}/{received.alert_id}/acknowledgements", received.recipient
    stranger = ny.sign(word, Key.new(ny.key.kid), typ="acknowledgement+jws")
    assert problem_of(ny.post(stranger, path), 401) == "signature-not-trusted"
    assert problem_of(ny.post(ny.sign(word), path), 400) == "malformed-submission"
    assert problem_of(ny.post(b"x", path), 400) == "malformed-submission"
    assert problem_of(ny.post(ny.sign(word, typ="acknowledgement+jws"), path, Content_Type="text/plain"), 415)
    assert received.acknowledgements() == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"status": "seen"}, "/status"),
        ({"at": "yesterday"}, "/at"),
        ({"at": "2026-01-17T14:05:09-05:00"}, "/at"),
        ({"note": 7}, "/note"),
        ({"unexpected": 1}, "/unexpected"),
    ],
)
def test_invalid_words(received: Received, changes: Document, pointer: str) -> None:
    """A word that is not of the contract's form is refused with a pointer."""
    answer = received.recipient.acknowledge(received.alert_id, received.delivery_id, **changes)
    assert pointer in faults_of(answer)


def test_another_alerts_word(agencies: Agencies, received: Received) -> None:
    """A word about one alert is not taken at another's address, nor for a delivery of another alert."""
    other = Received(agencies)
    ny = received.recipient
    crossed = {
        "alert_id": other.alert_id,
        "delivery_id": other.delivery_id,
        "participant": "us-ny.nysp",
        "status": "read",
        "at": utc_now(),
    }
    answer = ny.post(ny.sign(crossed, typ="acknowledgement+jws"), f"{ALERTS}/{received.alert_id}/acknowledgements")
    assert 400 <= answer.status_code < 500
    assert 400 <= ny.acknowledge(received.alert_id, other.delivery_id).status_code < 500
    assert received.acknowledgements() == other.acknowledgements() == []
