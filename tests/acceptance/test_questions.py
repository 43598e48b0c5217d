"""Ready-made questions: each finds what it says, for the jurisdictions whose it is, and is logged under its name."""

from __future__ import annotations

from typing import Any, Final

import httpx2
import pytest

from tests.acceptance.agency import Agencies, Agency, members, problem_of
from tests.acceptance.alerts import stolen_vehicle, wanted_person
from tests.acceptance.disclosed import told as disclosed
from tests.acceptance.independent import Document
from tests.acceptance.log_reader import LogReader

WHY: Final = "Plainte 2026-31"
ABSENT: Final = "01890a5d-ac96-774b-bcce-b302099a8057"


def ask(auditor: Agency, question: str, **filters: Any) -> httpx2.Response:  # noqa: ANN401 - any parameter
    """Ask a question; a name that Python keeps for itself ends in an underscore."""
    headers: dict[str, Any] = {"Authorization": f"Bearer {auditor.token('log:read')}", "Justification": WHY.encode()}
    parameters = {name.rstrip("_"): value for name, value in filters.items()}
    return auditor.http.get(f"/v1/log/questions/{question}", params=parameters, headers=headers)


def found(auditor: Agency, question: str, **filters: Any) -> list[Document]:  # noqa: ANN401 - any parameter
    """Return all entries that answer."""
    shown: list[Document] = []
    page: Document = {"next": -1}
    while page["next"] is not None:
        after = {} if page["next"] == -1 else {"after": page["next"]}
        answer = ask(auditor, question, limit=200, **filters, **after)
        assert answer.status_code == 200, answer.text
        page = members(answer)
        shown += [disclosed(each) for each in page["entries"]]
    return shown


@pytest.fixture(scope="module")
def cai(agencies: Agencies) -> Agency:
    """Return Québec's auditor."""
    return agencies["ca-qc.cai"]


@pytest.fixture(scope="module")
def sent(agencies: Agencies, log: LogReader) -> Document:
    """Return a stolen vehicle of Québec's police that New York's answered for, under a checkpoint."""
    accepted = agencies["ca-qc.sq"].send(document := stolen_vehicle())
    recipient = agencies["us-ny.nysp"]
    [delivery] = recipient.read(accepted["alert_id"])["deliveries"]
    answer = recipient.acknowledge(accepted["alert_id"], delivery["delivery_id"])
    log.holding(members(answer)["log_index"])
    return {**document, **accepted}


def test_who_received_this(cai: Agency, sent: Document) -> None:
    """The recipient's own word is there; nothing of whoever did not receive it."""
    kinds = {(each["kind"], each["content"]["recipient"]) for each in found(cai, "received", alert_id=sent["alert_id"])}
    assert ("acknowledged", "us-ny.nysp") in kinds
    assert {kind for kind, _ in kinds} <= {"delivered", "acknowledged"}


def test_what_was_withheld_and_why(cai: Agency, sent: Document) -> None:
    """The denials of an alert name the recipient and the reason; `to` finds them by the recipient or its home."""
    (entry,) = found(cai, "withheld", alert_id=sent["alert_id"])
    assert "us-me.msp" in {each["recipient"] for each in entry["content"]["withheld"]}
    for side in ("us-me.msp", "US-ME"):
        assert entry in found(cai, "withheld", alert_id=sent["alert_id"], to=side)
    assert found(cai, "withheld", alert_id=sent["alert_id"], to="us-ny.nysp") == []


def test_what_was_sent_to_somebody(cai: Agency, sent: Document) -> None:
    """Deliveries to a recipient alone, under one agreement, in one stretch of time; it needs to know to whom."""
    under = {"agreement": "ca-qc.us-ny.crime-2008", "from_": "2020-01-01T00:00:00Z"}
    shown = found(cai, "sent", to="us-ny.nysp", **under)
    assert all((each["kind"], each["content"]["recipient"]) == ("delivered", "us-ny.nysp") for each in shown)
    assert found(cai, "sent", to="us-ny.nysp", until="2020-01-01T00:00:00Z") == []
    assert problem_of(ask(cai, "sent"), 422) == "invalid-query"
    assert sent["alert_id"] not in {each["alert_id"] for each in found(cai, "sent", to="us-me.msp")}


def test_who_looked_at_this(agencies: Agencies, sent: Document, log: LogReader) -> None:
    """Each jurisdiction that is a party finds who was shown something about the alert; the others find nothing."""
    headers: dict[str, Any] = {"Authorization": f"Bearer {agencies['ca-qc.cai'].token('log:read')}"}
    headers["Justification"] = WHY.encode()
    answer = members(agencies.http.get("/v1/log/entries", params={"alert_id": sent["alert_id"]}, headers=headers))
    log.holding(answer["log_index"])
    looks = [
        each for each in found(agencies["ca-qc.cai"], "looked", alert_id=sent["alert_id"]) if each["kind"] == "queried"
    ]
    assert answer["log_index"] in {each["index"] for each in looks}
    assert all((each["actor"], each["content"]["justification"]) == ("ca-qc.cai", WHY) for each in looks)
    assert [each for each in found(agencies["ca-qc.cai"], "looked", alert_id=ABSENT) if each["kind"] == "queried"] == []


def test_what_concerns_another_is_not_found_by_whoever_saw_the_same_query(
    agencies: Agencies, sent: Document, log: LogReader
) -> None:
    """A query that showed two alerts is found by each jurisdiction for its own alert alone."""
    elsewhere = agencies["us-ny.nysp"].send(wanted_person({"addresses": ["us-me.msp"]}, sender="us-ny.nysp"))
    log.holding(elsewhere["log_index"])
    looks = found(agencies["ca-qc.cai"], "looked", alert_id=elsewhere["alert_id"])
    assert [each for each in looks if each["kind"] == "queried"] == []
    assert sent["alert_id"] != elsewhere["alert_id"]


def test_a_question_is_logged_under_its_name(cai: Agency, sent: Document, log: LogReader) -> None:
    """Whoever was asked about sees which question it was."""
    answer = members(ask(cai, "withheld", alert_id=sent["alert_id"]))
    log.holding(answer["log_index"])
    headers: dict[str, Any] = {"Authorization": f"Bearer {cai.token('log:read')}", "Justification": WHY.encode()}
    parameters = {"kind": "queried", "after": answer["log_index"] - 1, "limit": 1}
    [logged] = members(cai.http.get("/v1/log/entries", params=parameters, headers=headers))["entries"]
    assert (logged["index"], logged["entry"]["content"]["question"]) == (answer["log_index"], "withheld")


def test_the_questions_tell_what_they_need(cai: Agency) -> None:
    """The list names each question in both languages, and every filter that it needs or takes is one."""
    told = members(cai.http.get("/v1/log/questions"))["questions"]
    assert {each["question"] for each in told} == {"received", "sent", "withheld", "overdue", "looked"}
    for each in told:
        assert each["caption"]["fr"] != each["caption"]["en"]
        assert problem_of(ask(cai, each["question"], participant="ca-qc.sq"), 422) == "invalid-query"
        if each["needs"]:
            assert problem_of(ask(cai, each["question"]), 422) == "invalid-query"
    assert problem_of(ask(cai, "everything"), 404) == "not-found"
