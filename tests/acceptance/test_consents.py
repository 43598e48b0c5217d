"""Consent before release, over the wire: who is asked, what the answer must say, and who hears of the alert when."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.acceptance.agency import Agencies, Agency, faults_of, members, problem_of, utc_now
from tests.acceptance.alerts import changed, stolen_vehicle
from tests.acceptance.independent import Document, Key

CONSENTS: Final = "/v1/consents"


class PassedOn:
    """A stolen vehicle of New York's police that Québec's passes on to Vermont: New York must consent."""

    def __init__(self, agencies: Agencies, handling: Mapping[str, Any] | None = None) -> None:
        self.originator, self.sender, self.recipient = (
            agencies[each] for each in ("us-ny.nysp", "ca-qc.sq", "us-vt.vsp")
        )
        self.source = stolen_vehicle(handling, sender="us-ny.nysp")
        self.originator.send(self.source)
        self.alert = derived(self.source, handling)
        self.submission = self.sender.sign(self.alert)
        answer = self.sender.post(self.submission)
        assert answer.status_code == 201, answer.text
        self.answer = members(answer)
        self.alert_id = str(self.answer["alert_id"])

    @property
    def question(self) -> Document:
        """What the originator is asked about this alert."""
        asked = members(self.originator.get(CONSENTS))["consents"]
        return next(each for each in asked if each["alert_id"] == self.alert_id)

    def word(self, **changes: Any) -> Document:  # noqa: ANN401 - any member
        """Return what the originator would answer."""
        question = self.question
        copied = {name: question[name] for name in ("consent_id", "alert_id", "digest", "recipient")}
        return {**copied, "by": question["asked"], "decision": "given", "at": utc_now(), **changes}

    def delivery(self) -> Document:
        """Return Vermont's delivery as the sender sees it."""
        deliveries = self.sender.read(self.alert_id)["deliveries"]
        return next(each for each in deliveries if each["participant"] == "us-vt.vsp")


def derived(source: Document, changes: Mapping[str, Any] | None = None) -> Document:
    """Return an alert of Québec's police that names its source."""
    name = f"{source['sender']},{source['identifier']},{source['sent']}"
    return changed(stolen_vehicle({"references": [name]}), changes or {})


def say(agency: Agency, consent_id: str, word: Document, key: Key | None = None, *, typ: str = "consent+jws") -> Any:  # noqa: ANN401 - httpx's
    """Post an answer."""
    return agency.post(agency.sign(word, key, typ=typ), f"{CONSENTS}/{consent_id}")


def test_what_is_passed_on_waits_for_its_originator(agencies: Agencies) -> None:
    """The sender is told who is asked; the originator hears of it at once, the other recipient not at all."""
    case = PassedOn(agencies)
    awaited = {each["participant"]: each.get("awaits", []) for each in case.answer["recipients"]}
    assert awaited["us-ny.nysp"] == []
    assert [each["asked"] for each in awaited["us-vt.vsp"]] == ["us-ny.nysp"]
    assert case.delivery()["state"] == "held"
    assert problem_of(case.recipient.get(f"/v1/alerts/{case.alert_id}"), 404) == "not-found"
    question = case.question
    assert question["passes_on"] == [case.source["identifier"]]
    assert (question["sender"], question["recipient"], question["state"]) == ("ca-qc.sq", "us-vt.vsp", "open")
    assert question["digest"] == f"sha-256:{hashlib.sha256(case.submission).hexdigest()}"
    assert "body" not in question


def test_consent_lets_it_go(agencies: Agencies) -> None:
    """Given once, it is logged and the recipient may read the alert; the same bytes again change nothing."""
    case = PassedOn(agencies)
    consent_id, word = str(case.question["consent_id"]), case.word()
    signed = case.originator.sign(word, typ="consent+jws")
    first = case.originator.post(signed, f"{CONSENTS}/{consent_id}")
    assert first.status_code == 201, first.text
    assert members(first)["decision"] == "given"
    again = case.originator.post(signed, f"{CONSENTS}/{consent_id}")
    assert (again.status_code, members(again)) == (200, members(first))
    assert case.delivery()["state"] != "held"
    [consent] = case.delivery()["consents"]
    assert (consent["state"], consent["signed"]) == ("given", signed.decode())
    seen = case.recipient.read(case.alert_id)
    assert [each["decision"] for each in seen["decisions"]] == ["permit"]
    assert problem_of(say(case.originator, consent_id, {**word, "decision": "refused"}), 409) == "consent-closed"
    assert case.alert_id not in {each["alert_id"] for each in members(case.originator.get(CONSENTS))["consents"]}


def test_a_refusal_ends_it(agencies: Agencies) -> None:
    """Refused, it is withheld with the reason in both languages, and the recipient never learns of it."""
    case = PassedOn(agencies)
    consent_id = str(case.question["consent_id"])
    assert say(case.originator, consent_id, case.word(decision="refused")).status_code == 201
    ended = case.delivery()
    assert ended["state"] == "withheld"
    assert "us-ny.nysp" in ended["reason"]["fr"]
    assert "us-ny.nysp" in ended["reason"]["en"]
    assert case.recipient.get(f"/v1/alerts/{case.alert_id}").status_code == 404
    assert say(case.originator, consent_id, {**ended, "x": 1}).status_code == 422


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("alert_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("digest", "sha-256:" + "0" * 64),
        ("recipient", "us-me.msp"),
        ("by", "US-NY"),
        ("decision", "maybe"),
        ("consent_id", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ("at", "2099-01-01T00:00:00.000Z"),
        ("at", "2020-01-01T00:00:00.000Z"),
    ],
)
def test_an_answer_is_to_this_question(agencies: Agencies, member: str, value: str) -> None:
    """An answer that says another alert, other bytes, another recipient or nothing that can be said is refused."""
    case = PassedOn(agencies)
    consent_id = str(case.question["consent_id"])
    assert f"/{member}" in faults_of(say(case.originator, consent_id, case.word(**{member: value})))
    assert case.delivery()["state"] == "held"


def test_only_whoever_is_asked_answers(agencies: Agencies) -> None:
    """Sender, recipient, a stranger, an authority: to them there is no such question, as there is no made-up one."""
    case = PassedOn(agencies)
    consent_id, word = str(case.question["consent_id"]), case.word()
    for other in ("ca-qc.sq", "us-vt.vsp", "us-me.msp"):
        assert problem_of(say(agencies[other], consent_id, word), 404) == "not-found"
    for jurisdiction in ("US-NY", "CA-QC"):
        assert problem_of(say(case.originator, consent_id, word, agencies.authority(jurisdiction)), 404) == "not-found"
    made_up = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert problem_of(say(case.originator, made_up, word), 404) == "not-found"
    assert problem_of(case.recipient.get(f"{CONSENTS}/{consent_id}"), 404) == "not-found"
    assert members(case.sender.get(f"{CONSENTS}/{consent_id}"))["consent_id"] == consent_id
    assert case.delivery()["state"] == "held"


def test_what_is_no_answer(agencies: Agencies) -> None:
    """Of another type, not signed by whom it names, or not signed at all: refused as on every other door."""
    case = PassedOn(agencies)
    consent_id, word = str(case.question["consent_id"]), case.word()
    assert problem_of(say(case.originator, consent_id, word, typ="acknowledgement+jws"), 400) == "malformed-submission"
    assert problem_of(case.originator.post(b"x", f"{CONSENTS}/{consent_id}"), 400) == "malformed-submission"
    forged = Key(case.originator.key.kid, agencies["us-me.msp"].key.private)
    assert problem_of(say(case.originator, consent_id, word, forged), 401) == "signature-not-trusted"
    assert case.originator.post(b"x" * 20_000, f"{CONSENTS}/{consent_id}").status_code == 413
    assert case.delivery()["state"] == "held"


@pytest.mark.parametrize(
    ("source", "passing", "code"),
    [
        ({"handling.tlp": "AMBER"}, {"handling.tlp": "GREEN"}, "TLP:AMBER"),
        ({"handling.codes": ["H2"]}, {"handling.codes": []}, "H2"),
    ],
)
def test_handling_is_not_loosened(
    agencies: Agencies, source: Mapping[str, Any], passing: Mapping[str, Any], code: str
) -> None:
    """An alert with a wider label than its source, or without its code, reaches nobody but the originator."""
    given = stolen_vehicle(source, sender="us-ny.nysp")
    agencies["us-ny.nysp"].send(given)
    answer = agencies["ca-qc.sq"].send(derived(given, passing))
    assert [each["participant"] for each in answer["recipients"]] == ["us-ny.nysp"]
    decisions = agencies["ca-qc.sq"].read(answer["alert_id"])["decisions"]
    why = next(each["reason"] for each in decisions if each["participant"] == "us-vt.vsp")
    assert code.removeprefix("TLP:") in why["en"]
    assert code.removeprefix("TLP:") in why["fr"]


def test_a_source_that_was_never_received(agencies: Agencies) -> None:
    """Unknown or another's, a source that the sender never had keeps the alert from everybody but whom it names."""
    to_vermont = stolen_vehicle({"addresses": ["us-vt.vsp"]})
    agencies["ca-qc.sq"].send(to_vermont)
    unknown = {**to_vermont, "sender": "us-ny.nysp", "identifier": "never-was"}
    reasons = set()
    for source in (unknown, {**unknown, "sender": "us-me.msp"}):
        answer = agencies["ca-qc.sq"].send(derived(source))
        assert "us-vt.vsp" not in {each["participant"] for each in answer["recipients"]}
        decisions = agencies["ca-qc.sq"].read(answer["alert_id"])["decisions"]
        reasons |= {each["reason"]["en"] for each in decisions if each["participant"] == "us-vt.vsp"}
    assert all("did not receive" in each for each in reasons)


def test_preview_tells_whose_consent_is_needed(agencies: Agencies) -> None:
    """Before it is sent, the terms say who must consent; nothing is asked."""
    source = stolen_vehicle(sender="us-ny.nysp")
    agencies["us-ny.nysp"].send(source)
    previewed = members(agencies["ca-qc.sq"].preview(derived(source)))["decisions"]
    terms = next(each["terms"] for each in previewed if each["participant"] == "us-vt.vsp")
    assert terms["consent_by"] == ["us-ny.nysp"]
    asked = members(agencies["us-ny.nysp"].get(CONSENTS))["consents"]
    assert source["identifier"] not in {name for each in asked for name in each["passes_on"]}


def test_an_update_of_what_passes_on_passes_it_on_too(agencies: Agencies) -> None:
    """An Update that does not name the source again still awaits its originator; a Cancel goes to whom was told."""
    case = PassedOn(agencies)
    first = f"ca-qc.sq,{case.alert['identifier']},{case.alert['sent']}"
    update = stolen_vehicle({"msgType": "Update", "references": [first]})
    answer = case.sender.send(update)
    awaited = {each["participant"]: each.get("awaits", []) for each in answer["recipients"]}
    assert [each["asked"] for each in awaited["us-vt.vsp"]] == ["us-ny.nysp"]
    assert case.delivery()["state"] == "withheld"
    cancelled = case.sender.send(stolen_vehicle({"msgType": "Cancel", "references": [first]}))
    assert [each["participant"] for each in cancelled["recipients"]] == ["us-ny.nysp"]
