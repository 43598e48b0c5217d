"""The client as agencies use it, against an exchange that answers as told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lacolle
from lacolle.client import Accepted, Client
from lacolle.client.submissions import document_in
from lacolle.errors import ProblemError, ReceiptNotTrustedError, UnexpectedAnswerError
from lacolle.keyfiles import write_key_file
from schemas.alerts.catalogue import InvalidAlertError
from schemas.bilingual import Bilingual
from schemas.decisions import Lane
from schemas.evidence import AcknowledgementStatus
from schemas.signing.jws import ACKNOWLEDGEMENT, read_compact, verify
from schemas.signing.keys import SigningKey
from schemas.signing.sd_jwt import read_sd_jwt
from schemas.signing.strict_json import JsonValue, parse_json
from tests.unit.lacolle.scripted import (
    ALERT_ID,
    DELIVERY_ID,
    Answer,
    Request,
    ScriptedExchange,
    StillClock,
    accepted_body,
)
from tests.unit.schemas.alerts.samples import example

STATUS: dict[str, JsonValue] = {
    "alert_id": ALERT_ID,
    "thread": ALERT_ID,
    "sender": "ca-qc.sq",
    "identifier": "SQ-2026-0117-0042",
    "type": "law-enforcement/stolen-vehicle/v1",
    "status": "Actual",
    "msgType": "Alert",
    "received": "2026-01-17T19:05:09.250Z",
    "log_index": 42,
    "state": "settled",
    "decisions": [
        {
            "participant": "us-ny.nysp",
            "decision": "permit",
            "under": "ca-qc.us-ny.crime-2008/1#3.1",
            "lane": "urgent",
            "reason": {"fr": "Permis.", "en": "Permitted."},
        }
    ],
    "deliveries": [
        {
            "delivery_id": DELIVERY_ID,
            "participant": "us-ny.nysp",
            "lane": "urgent",
            "agreement": "ca-qc.us-ny.crime-2008/1",
            "clause": "3.1",
            "state": "delivered",
            "attempts": 1,
            "detail": "http 204",
            "settled": "2026-01-17T19:05:09.300Z",
            "deadline": "2026-01-20T05:00:00.000Z",
            "acknowledgements": [],
        }
    ],
    "log_entry": None,
}


@pytest.fixture
def client(exchange: ScriptedExchange, clock: StillClock, agency_key: SigningKey) -> Iterator[Client]:
    """Return an agency's client of the scripted exchange."""
    with Client(
        exchange.url, participant="ca-qc.sq", key=agency_key, patience=10, surroundings=clock.surroundings()
    ) as made:
        yield made


def test_an_accepted_alert_comes_back_with_its_receipt(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue]
) -> None:
    """Sending an alert returns its id, its place in the log, its verified receipt and whom it goes to."""
    accepted = client.send(alert)
    assert (accepted.alert_id, accepted.log_index, accepted.replayed) == (ALERT_ID, 42, False)
    assert accepted.receipt.identifier == alert["identifier"]
    assert [(each.participant, each.clause, each.lane) for each in accepted.recipients] == [
        ("us-ny.nysp", "3.1", Lane.URGENT)
    ]
    (request,) = exchange.to("/v1/alerts")
    assert document_in(request.body) == alert
    assert request.headers["content-type"] == "application/alert+sd-jwt"


@pytest.mark.parametrize("form", ["jose", "sd-jwt"])
def test_a_client_signs_in_the_form_it_was_told(
    exchange: ScriptedExchange,
    clock: StillClock,
    agency_key: SigningKey,
    alert: dict[str, JsonValue],
    form: str,
) -> None:
    """Alerts and previews go out in the form that was asked for, with its media type."""
    exchange.script["/v1/alerts/preview"] = [exchange.accept]
    surroundings = clock.surroundings()
    with Client(exchange.url, participant="ca-qc.sq", key=agency_key, form=form, surroundings=surroundings) as made:
        made.send(alert)
        with pytest.raises(UnexpectedAnswerError):
            made.preview(alert)
    posted = exchange.to("/v1/alerts") + exchange.to("/v1/alerts/preview")
    assert [request.headers["content-type"] for request in posted] == [
        {"jose": "application/jose", "sd-jwt": "application/alert+sd-jwt"}[form]
    ] * 2


def test_a_batch_holds_lines_of_either_form(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue]
) -> None:
    """Each alert is a line in the form that its type asks, and a line that was signed before stays as it is."""
    warning = example("emergency-management.public-warning")
    before = client.sign({**alert, "identifier": "SQ-2026-0117-0043"})

    def answer(request: Request) -> Answer:
        bodies = (accepted_body(line, exchange.key) for line in request.body.split(b"\n"))
        return Answer(200, lines=tuple({"status": 201, "body": body} for body in bodies))

    exchange.script["/v1/alerts/batch"] = [answer]
    sent = client.send_batch([alert, warning, before])
    (request,) = exchange.to("/v1/alerts/batch")
    lines = request.body.split(b"\n")
    assert [b"~" in line for line in lines] == [True, False, True]
    assert [document_in(line) for line in lines[:2]] == [alert, warning]
    assert lines[2] == before
    assert request.headers["content-type"] == "application/jose-seq"
    assert all(isinstance(each, Accepted) for each in sent)


def test_an_invalid_alert_never_leaves(client: Client, exchange: ScriptedExchange) -> None:
    """An alert that can't be valid is refused before anything is sent."""
    with pytest.raises(InvalidAlertError):
        client.send({"type": "law-enforcement/stolen-vehicle/v1"})
    assert exchange.requests == []


def test_a_retry_sends_the_bytes_it_sent(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue], clock: StillClock
) -> None:
    """A submission that was not answered is sent again as it was signed, so that one alert comes of it."""
    exchange.script["/v1/alerts"] = [Answer(0), Answer(503, headers={"Retry-After": "2"}), exchange.accept]
    assert client.send(alert).alert_id == ALERT_ID
    assert len({request.body for request in exchange.to("/v1/alerts")}) == 1
    assert len(exchange.to("/v1/alerts")) == 3
    assert clock.slept[-1] == 2.0


def test_a_repetition_is_told_as_one(client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue]) -> None:
    """The answer 200 to an alert that was signed anew is accepted as the first one, and marked."""
    first = client.sign(alert)
    exchange.script["/v1/alerts"] = [Answer(200, accepted_body(first, exchange.key))]
    again = client.send({**alert})
    assert again.replayed
    assert again.alert_id == ALERT_ID


def test_warnings_are_passed_on(client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue]) -> None:
    """What the exchange warns of is in the answer."""
    exchange.script["/v1/alerts"] = [
        lambda request: Answer(201, {**accepted_body(request.body, exchange.key), "warnings": ["unknown-reference"]})
    ]
    assert client.send(alert).warnings == ("unknown-reference",)


def test_an_answer_without_a_good_receipt_is_no_acceptance(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue], agency_key: SigningKey
) -> None:
    """A 201 whose receipt is not the exchange's is an error, however friendly the status."""
    exchange.script["/v1/alerts"] = [lambda request: Answer(201, accepted_body(request.body, agency_key))]
    with pytest.raises(ReceiptNotTrustedError):
        client.send(alert)


@pytest.mark.parametrize("body", [{}, [], "ok", {"alert_id": "42"}])
def test_an_answer_of_another_service_is_told_as_such(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue], body: object
) -> None:
    """A 201 that does not have the contract's members is an error that says to check the address."""
    exchange.script["/v1/alerts"] = [Answer(201, body)]
    with pytest.raises(UnexpectedAnswerError, match="Check the address"):
        client.send(alert)


def test_updates_and_cancellations_refer_to_what_they_change(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue]
) -> None:
    """Update and Cancel are sent as alerts of their own that name the alert they follow."""
    client.update(alert, {**alert, "identifier": "SQ-2"})
    client.cancel(alert, identifier="SQ-3")
    sent = [document_in(request.body) for request in exchange.to("/v1/alerts")]
    assert [(each["msgType"], each["identifier"]) for each in sent] == [("Update", "SQ-2"), ("Cancel", "SQ-3")]
    assert all(each["references"] for each in sent)


def test_a_preview_tells_every_decision(
    client: Client, exchange: ScriptedExchange, alert: dict[str, JsonValue]
) -> None:
    """A preview returns each decision with its reason in both languages, and the clauses that were considered."""
    considered: list[JsonValue] = [{"clause": "a/1#2", "reason": {"fr": "Statut.", "en": "Status."}}]
    exchange.script["/v1/alerts/preview"] = [
        Answer(
            200,
            {
                "sender": "ca-qc.sq",
                "identifier": "SQ-2026-0117-0042",
                "thread": None,
                "deadline": "2026-01-20T05:00:00.000Z",
                "decisions": [
                    {
                        "participant": "us-vt.vsp",
                        "decision": "deny",
                        "reason": {"fr": "Refusé.", "en": "Denied."},
                        "considered": considered,
                    }
                ],
            },
        )
    ]
    (decision,) = client.preview(alert).decisions
    assert (decision.participant, decision.decision) == ("us-vt.vsp", "deny")
    assert decision.reason.bilingual.in_language("fr") == "Refusé."
    assert decision.considered[0].clause == "a/1#2"


@pytest.fixture
def readable(exchange: ScriptedExchange) -> ScriptedExchange:
    """Return the exchange, with an alert to read and tokens to read it with."""
    exchange.script["/oauth/token"] = [
        Answer(200, {"access_token": f"token-{number}", "token_type": "Bearer", "expires_in": 300}) for number in (1, 2)
    ]
    exchange.script[f"/v1/alerts/{ALERT_ID}"] = [Answer(200, STATUS)]
    exchange.script["/v1/alerts"] = [Answer(200, STATUS)]
    return exchange


def test_an_alert_is_read_by_its_id(client: Client, readable: ScriptedExchange) -> None:
    """Reading by id carries a token and returns the deliveries with their outcomes."""
    status = client.status(ALERT_ID)
    assert (status.state, status.deliveries[0].state) == ("settled", "delivered")
    assert readable.to(f"/v1/alerts/{ALERT_ID}")[0].headers["authorization"] == "Bearer token-1"


def test_an_alert_is_read_by_its_name(client: Client, readable: ScriptedExchange) -> None:
    """Reading by identifier asks for the client's own alert, unless another sender is named."""
    client.status(identifier="SQ+2026&co")
    client.status(identifier="X", sender="us-ny.nysp")
    assert [request.path for request in readable.to("/v1/alerts")] == [
        "/v1/alerts?sender=ca-qc.sq&identifier=SQ%2B2026%26co",
        "/v1/alerts?sender=us-ny.nysp&identifier=X",
    ]


@pytest.mark.parametrize("names", [{}, {"alert_id": ALERT_ID, "identifier": "X"}])
def test_an_alert_is_named_in_one_way(client: Client, names: dict[str, str]) -> None:
    """Naming no alert, or one twice, is a mistake of the caller's."""
    with pytest.raises(ValueError, match="name the alert"):
        client.status(**names)


def test_a_token_that_no_longer_counts_is_replaced_once(client: Client, readable: ScriptedExchange) -> None:
    """When the exchange refuses the token, one other is asked for; when it refuses that too, the refusal is raised."""
    refused = Answer(401, {"type": "urn:x/token-refused", "title": "No"}, media_type="application/problem+json")
    path = f"/v1/alerts/{ALERT_ID}"
    readable.script[path] = [refused, Answer(200, STATUS)]
    assert client.status(ALERT_ID).alert_id == ALERT_ID
    assert [request.headers["authorization"] for request in readable.to(path)] == ["Bearer token-1", "Bearer token-2"]
    readable.script[path] = [refused]
    with pytest.raises(ProblemError, match="token-refused"):
        client.status(ALERT_ID)


def test_an_acknowledgement_is_the_recipients_signed_word(
    client: Client, exchange: ScriptedExchange, agency_key: SigningKey
) -> None:
    """An acknowledgement is posted to its alert, signed, and the place in the log is returned."""
    path = f"/v1/alerts/{ALERT_ID}/acknowledgements"
    answer = {"alert_id": ALERT_ID, "delivery_id": DELIVERY_ID, "status": "acted-on", "log_index": 7}
    exchange.script[path] = [Answer(201, answer)]
    acknowledged = client.acknowledge(ALERT_ID, DELIVERY_ID, AcknowledgementStatus.ACTED_ON, note="Retrouvé.")
    assert acknowledged.log_index == 7
    word = parse_json(verify(read_compact(exchange.to(path)[0].body, ACKNOWLEDGEMENT), agency_key.public))
    assert isinstance(word, dict)
    assert (word["participant"], word["status"], word["note"]) == ("ca-qc.sq", "acted-on", "Retrouvé.")


def test_a_key_may_be_named_by_its_file(
    exchange: ScriptedExchange, clock: StillClock, agency_key: SigningKey, tmp_path: Path, alert: dict[str, JsonValue]
) -> None:
    """A client made with a key's file signs with that key."""
    write_key_file(tmp_path / "sq.jwk", agency_key)
    path = str(tmp_path / "sq.jwk")
    with Client(exchange.url, participant="ca-qc.sq", key=path, surroundings=clock.surroundings()) as made:
        assert read_sd_jwt(made.sign(alert)).jws.kid == agency_key.kid


def test_importing_the_package_costs_nothing() -> None:
    """``import lacolle`` loads none of the libraries; ``lacolle.Client`` is there all the same."""
    program = "import lacolle, sys; sys.exit('httpx2' in sys.modules or 'pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert lacolle.Client is Client
    with pytest.raises(AttributeError, match="Server"):
        _ = lacolle.Server


def test_a_batch_says_that_lines_are_sent_again(
    exchange: ScriptedExchange, clock: StillClock, agency_key: SigningKey, alert: dict[str, JsonValue]
) -> None:
    """Lines that the exchange asks for once more are sent again after its wait, of which the sender is told once."""
    told: list[Bilingual] = []
    busy = Answer(200, {"status": 503, "retry_after": 3, "body": {"title": "Busy"}})

    def accept(request: Request) -> Answer:
        return Answer(200, {"status": 201, "body": accepted_body(request.body, exchange.key)})

    exchange.script["/v1/alerts/batch"] = [busy, busy, accept]
    with Client(
        exchange.url,
        participant="ca-qc.sq",
        key=agency_key,
        patience=10,
        surroundings=clock.surroundings(),
        on_wait=told.append,
    ) as client:
        [accepted] = client.send_batch([alert])
    assert isinstance(accepted, Accepted)
    assert clock.slept == [3, 3]
    assert [text.en for text in told] == [
        "The exchange asks to send 1 of the alerts again later: trying again for 10 s at most."
    ]
