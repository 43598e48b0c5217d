"""The log as auditors ask it: what each may see, why it asked, and that whoever was looked at can see that."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, Final

import httpx2
import pytest
import rfc8785

from tests.acceptance.agency import Agencies, Agency, members, problem_of
from tests.acceptance.alerts import stolen_vehicle, wanted_person
from tests.acceptance.disclosed import told as disclosed
from tests.acceptance.enrolment import enrol
from tests.acceptance.independent import Document, leaf_hash, root_of_inclusion
from tests.acceptance.log_reader import LogReader

ENTRIES: Final = "/v1/log/entries"
WHY: Final = "Vérification annuelle, dossier 2026-114"


def ask(auditor: Agency, *, justification: str | None = WHY, **filters: Any) -> httpx2.Response:  # noqa: ANN401 - any parameter
    """Ask the log; a name that Python keeps for itself ends in an underscore."""
    headers: dict[str, Any] = {"Authorization": f"Bearer {auditor.token('log:read')}"}
    if justification is not None:
        headers["Justification"] = justification.encode()
    parameters = {name.rstrip("_"): value for name, value in filters.items()}
    return auditor.http.get(ENTRIES, params=parameters, headers=headers)


def found(auditor: Agency, **filters: Any) -> list[Document]:  # noqa: ANN401 - any parameter
    """Return what all pages of a question show."""
    shown: list[Document] = []
    after: dict[str, Any] = {}
    while True:
        answer = ask(auditor, **{"limit": 200, **filters, **after})
        assert answer.status_code == 200, answer.text
        page = members(answer)
        shown += page["entries"]
        if page["next"] is None:
            return shown
        after = {"after": page["next"]}


@pytest.fixture(scope="module")
def cai(agencies: Agencies) -> Agency:
    """Return Québec's auditor."""
    return agencies["ca-qc.cai"]


@pytest.fixture(scope="module")
def sent(agencies: Agencies, log: LogReader) -> Document:
    """Return a stolen vehicle of Québec's police, covered by a checkpoint."""
    document = stolen_vehicle()
    accepted = agencies["ca-qc.sq"].send(document)
    log.holding(accepted["log_index"] + 3)
    return {**document, **accepted}


def test_an_alert_s_entries(cai: Agency, sent: Document) -> None:
    """By its id an alert's entries are there, in order, with the decisions on everyone."""
    shown = found(cai, alert_id=sent["alert_id"])
    assert [each["entry"]["kind"] for each in shown][:4] == ["accepted", "routed", "routed", "withheld"]
    assert [each["index"] for each in shown] == sorted(each["index"] for each in shown)
    assert shown[0]["index"] == sent["log_index"]


def test_each_entry_is_under_the_checkpoint(cai: Agency, sent: Document, log: LogReader) -> None:
    """Salt and entry make the commitment, commitment and proof the root of the checkpoint that the answer names."""
    answer = members(ask(cai, alert_id=sent["alert_id"]))
    size, root = int(answer["checkpoint"].splitlines()[1]), base64.b64decode(answer["checkpoint"].splitlines()[2])
    assert answer["size"] == size
    for shown in answer["entries"]:
        commitment = hashlib.sha256(bytes.fromhex(shown["salt"]) + rfc8785.dumps(shown["entry"])).digest()
        assert commitment.hex() == shown["commitment"]
        proof = [base64.b64decode(each) for each in shown["proof"]]
        assert root_of_inclusion(leaf_hash(commitment), shown["index"], size, proof) == root
    assert log.entries(size)[sent["log_index"]].hex() == answer["entries"][0]["commitment"]


@pytest.mark.parametrize(
    "filters",
    [
        {"kind": "accepted", "text": "T"},
        {"participant": "us-ny.nysp"},
        {"agreement": "ca-qc.us-ny.crime-2008"},
        {"clause": "ca-qc.us-ny.crime-2008/1#3.1"},
        {"type": "law-enforcement/stolen-vehicle/v1"},
        {"jurisdiction": "US-NY", "kind": "routed"},
        {"from": "2020-01-01T00:00:00-05:00", "until": "2099-01-01T00:00:00Z"},
    ],
    ids="+".join,
)
def test_every_filter_finds_it(cai: Agency, sent: Document, filters: Mapping[str, str]) -> None:
    """Each filter, and several together, leaves entries of the alert in, and only such as it asks for."""
    shown = found(cai, **filters)
    assert sent["alert_id"] in {each["entry"]["alert_id"] for each in shown}
    if "kind" in filters:
        assert {each["entry"]["kind"] for each in shown} == {filters["kind"]}
    if "jurisdiction" in filters:
        assert all(filters["jurisdiction"] in each["entry"]["jurisdictions"] for each in shown)


def test_filters_leave_out(cai: Agency, sent: Document) -> None:
    """What asks for something else leaves the alert out."""
    for filters in (
        {"kind": "refused"},
        {"participant": "us-me.msp", "kind": "delivered"},
        {"type": "public-health/outbreak/v1"},
        {"until": "2020-01-01T00:00:00Z"},
        {"from": "2099-01-01T00:00:00Z"},
        {"text": "nowhere to be found"},
    ):
        assert sent["alert_id"] not in {each["entry"]["alert_id"] for each in found(cai, **filters)}


def test_pages(cai: Agency, agencies: Agencies, sent: Document) -> None:
    """Pages come to the same as the whole, in order, however the log grows between them: nothing twice or left out."""
    whole = [each["index"] for each in found(cai, kind="accepted", until="2099-01-01T00:00:00Z")]
    seen: list[int] = []
    after: dict[str, Any] = {}
    while len(seen) < len(whole):
        page = members(ask(cai, kind="accepted", until="2099-01-01T00:00:00Z", limit=7, **after))
        seen += [each["index"] for each in page["entries"]]
        after = {"after": seen[-1]}
        agencies["ca-qc.sq"].send(stolen_vehicle())
    assert seen[: len(whole)] == whole
    assert sent["log_index"] in whole


def test_what_is_another_s_is_not_there(agencies: Agencies, cai: Agency, log: LogReader) -> None:
    """An alert to which a jurisdiction is no party and one that never was are one answer."""
    elsewhere = agencies["us-ny.nysp"].send(wanted_person({"addresses": ["us-me.msp"]}, sender="us-ny.nysp"))
    log.holding(elsewhere["log_index"] + 1)
    absent = "01890a5d-ac96-774b-bcce-b302099a8057"
    answers = [members(ask(cai, alert_id=each)) for each in (elsewhere["alert_id"], absent)]
    assert [each["entries"] for each in answers] == [[], []]
    assert {tuple(sorted(each)) for each in answers} == {tuple(sorted(answers[0]))}


def test_nothing_is_shown_to_which_it_is_no_party(cai: Agency) -> None:
    """Of the whole log an auditor sees the entries that name its jurisdiction."""
    shown = found(cai)
    assert shown
    assert all("CA-QC" in each["entry"]["jurisdictions"] for each in shown)


def test_whoever_is_looked_at_can_see_that(cai: Agency, sent: Document, log: LogReader) -> None:
    """A question is an entry, with its filters, its justification and what it showed, to all parties of that."""
    answer = members(ask(cai, alert_id=sent["alert_id"]))
    log.holding(answer["log_index"])
    (entry,) = [disclosed(each) for each in found(cai, kind="queried") if each["index"] == answer["log_index"]]
    assert entry["actor"] == "ca-qc.cai"
    assert entry["jurisdictions"] == ["CA-QC"]
    assert entry["content"] == {
        "filters": {"alert_id": sent["alert_id"]},
        "justification": WHY,
        "after": -1,
        "shown": [each["index"] for each in answer["entries"]],
    }


def test_whoever_is_looked_at_sees_its_own_part(
    agencies: Agencies, cai: Agency, sent: Document, log: LogReader
) -> None:
    """Another party of what was shown has an entry of its own: of its own entries alone, and of nobody else."""
    vermont = enrol(agencies, "US-VT", roles=["auditor"], sends=[])
    answer = members(ask(cai, alert_id=sent["alert_id"], justification="of two parties"))
    log.holding(answer["log_index"] + 2)
    told = [disclosed(each) for each in found(vermont, kind="queried")]
    (entry,) = [each for each in told if each["content"]["justification"] == "of two parties"]
    own = [each["index"] for each in answer["entries"] if "US-VT" in each["entry"]["jurisdictions"]]
    assert 0 < len(own) < len(answer["entries"])
    assert (entry["actor"], entry["jurisdictions"], entry["content"]["shown"]) == ("ca-qc.cai", ["US-VT"], own)


@pytest.mark.parametrize("justification", [None, "", "x" * 501, "a\u200bb", "a\u2028b"])
def test_nobody_asks_without_saying_why(cai: Agency, justification: str | None) -> None:
    """Without a justification, or with one that can't be one, nothing is answered."""
    assert problem_of(ask(cai, justification=justification), 400) == "justification-required"


def test_auditors_alone_ask(agencies: Agencies) -> None:
    """Who does not audit gets no token for it, and one for alerts does not reach."""
    for participant in ("ca-qc.sq", "us-ny.nysp"):
        agency = agencies[participant]
        assert agency.ask_token(agency.assertion(), scope="log:read").status_code == 400
        answer = agency.http.get(ENTRIES, headers={"Authorization": f"Bearer {agency.token()}", "Justification": "x"})
        assert problem_of(answer, 403) == "token-refused"
    assert problem_of(agencies.http.get(ENTRIES, headers={"Justification": "x"}), 401) == "token-refused"


@pytest.mark.parametrize(
    "filters",
    [
        {"kind": "nothing"},
        {"jurisdiction": "quebec"},
        {"participant": "SQ"},
        {"agreement": "A B"},
        {"clause": "x"},
        {"alert_id": "x"},
        {"type": "x"},
        {"text": "…"},
        {"from": "yesterday"},
        {"from": "2026-01-01T00:00:00"},
        {"from": "2026-W01-1T00:00:00Z"},
        {"until": "0001-01-01T00:00:00+23:59"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "1e2"},
        {"after": "-1"},
        {"after": "9" * 30},
    ],
    ids=lambda filters: "=".join(*filters.items()),
)
def test_what_can_not_be_asked(cai: Agency, filters: Mapping[str, str]) -> None:
    """A parameter that is not of its form is refused, and named."""
    refused = ask(cai, **filters)
    assert problem_of(refused, 422) == "invalid-query"
    if filters.keys().isdisjoint({"limit", "after"}):
        assert refused.json()["pointer"] == f"/{next(iter(filters))}"
