"""The log as a file: whole, signed, of what the auditor may see alone, and itself in the log."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import time
import zipfile
from typing import Any, Final

import httpx2
import pyarrow.parquet as pq
import pytest
import rfc8785

from tests.acceptance.agency import Agencies, Agency, members, problem_of
from tests.acceptance.alerts import stolen_vehicle, wanted_person
from tests.acceptance.disclosed import told as disclosed
from tests.acceptance.enrolment import enrol
from tests.acceptance.independent import Document, leaf_hash, tree_hash
from tests.acceptance.log_reader import LogReader
from tests.patience import GIVES_UP_AFTER

EXPORTS: Final = "/v1/log/exports"
WHY: Final = "Demande d'accès, dossier 2026-207"
ABSENT: Final = "01890a5d-ac96-774b-bcce-b302099a8057"


def ask(auditor: Agency, *, justification: str | None = WHY, **parameters: Any) -> httpx2.Response:  # noqa: ANN401 - any parameter
    """Ask for an export; a name that Python keeps for itself ends in an underscore."""
    headers: dict[str, Any] = {"Authorization": f"Bearer {auditor.token('log:read')}"}
    if justification is not None:
        headers["Justification"] = justification.encode()
    named = {name.rstrip("_"): value for name, value in {"report": "entries", "format": "ndjson", **parameters}.items()}
    return auditor.http.get(EXPORTS, params=named, headers=headers)


def opened(answer: httpx2.Response) -> tuple[bytes, Document]:
    """Return the data of an export and what its manifest says, its digest held against the data."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    _, payload, _ = archive.read("manifest.jws").split(b".")
    manifest: Document = json.loads(base64.urlsafe_b64decode(payload + b"=="))
    data = archive.read(manifest["file"])
    assert sorted(archive.namelist()) == sorted([manifest["file"], "manifest.jws"])
    assert manifest["digest"] == f"sha-256:{hashlib.sha256(data).hexdigest()}"
    return data, manifest


def entries_in(answer: httpx2.Response) -> list[Document]:
    """Return the rows of an export as NDJSON."""
    return [json.loads(line) for line in opened(answer)[0].splitlines()]


@pytest.fixture(scope="module")
def cai(agencies: Agencies) -> Agency:
    """Return Québec's auditor."""
    return agencies["ca-qc.cai"]


@pytest.fixture(scope="module")
def sent(agencies: Agencies, log: LogReader) -> Document:
    """Return a wanted person of Québec's police that New York's received and answered for, under a checkpoint."""
    accepted = agencies["ca-qc.sq"].send(document := wanted_person())
    recipient = agencies["us-ny.nysp"]
    [delivery] = recipient.read(accepted["alert_id"])["deliveries"]
    recipient.acknowledge(accepted["alert_id"], delivery["delivery_id"])
    answer = recipient.acknowledge(accepted["alert_id"], delivery["delivery_id"], status="read")
    log.holding(members(answer)["log_index"])
    return {**document, **accepted, "delivery_id": delivery["delivery_id"]}


def test_every_entry_makes_its_public_commitment(cai: Agency, sent: Document, log: LogReader) -> None:
    """Salt and entry make the commitment, and the log has it at that place, under the checkpoint of the manifest."""
    answer = ask(cai, alert_id=sent["alert_id"])
    manifest = opened(answer)[1]
    size, root = int(manifest["checkpoint"].splitlines()[1]), base64.b64decode(manifest["checkpoint"].splitlines()[2])
    public = log.entries(size)
    assert tree_hash([leaf_hash(each) for each in public]) == root
    rows = entries_in(answer)
    assert [row["entry"]["kind"] for row in rows][:2] == ["accepted", "routed"]
    for row in rows:
        made = hashlib.sha256(bytes.fromhex(row["salt"]) + rfc8785.dumps(row["entry"])).digest()
        assert made.hex() == row["commitment"]
        assert made == public[row["index"]]
    assert (manifest["entries"], manifest["rows"], manifest["log_size"]) == (len(rows), len(rows), size)


def test_the_formats_say_the_same(cai: Agency, sent: Document) -> None:
    """NDJSON, CSV and Parquet hold the same rows."""
    wanted = {"alert_id": sent["alert_id"], "kind": "accepted"}
    (line,) = entries_in(ask(cai, **wanted))
    (record,) = csv.DictReader(io.StringIO(opened(ask(cai, **wanted, format="csv"))[0].decode()))
    (row,) = pq.read_table(io.BytesIO(opened(ask(cai, **wanted, format="parquet"))[0])).to_pylist()
    assert json.loads(record["entry"]) == line["entry"] == json.loads(row["entry"])
    assert int(record["index"]) == line["index"] == row["index"]
    assert record["salt"] == line["salt"] == row["salt"].hex()
    assert record["jurisdictions"].split() == line["entry"]["jurisdictions"] == row["jurisdictions"]
    assert row["time"].isoformat(timespec="milliseconds").replace("+00:00", "Z") == line["entry"]["time"]


def test_more_than_a_chunk(cai: Agency, agencies: Agencies, sent: Document) -> None:
    """An export of many chunks has every entry once, in order, as pages have them."""
    while len(whole := entries_in(ask(cai))) < 1_100:
        for _ in range(40):
            agencies["ca-qc.sq"].send(stolen_vehicle())
    indexes = [row["index"] for row in whole]
    assert indexes == sorted(set(indexes))
    assert all("CA-QC" in row["entry"]["jurisdictions"] for row in whole)
    assert sent["log_index"] in indexes


def test_what_is_another_s_is_not_there(agencies: Agencies, cai: Agency, log: LogReader) -> None:
    """An alert to which a jurisdiction is no party and one that never was are one empty export."""
    elsewhere = agencies["us-ny.nysp"].send(wanted_person({"addresses": ["us-me.msp"]}, sender="us-ny.nysp"))
    log.holding(elsewhere["log_index"] + 1)
    for alert_id in (elsewhere["alert_id"], ABSENT):
        data, manifest = opened(ask(cai, alert_id=alert_id))
        assert (data, manifest["entries"]) == (b"", 0)
    assert opened(ask(cai, alert_id=ABSENT, format="csv"))[0].startswith(b"index,time,kind,")


def test_the_accounting_of_disclosures(cai: Agency, sent: Document) -> None:
    """One row for each delivery about a person: to whom, for which purpose, on which basis, with the log's entries."""
    wanted = {"report": "disclosures", "format": "csv", "alert_id": sent["alert_id"]}
    (row,) = csv.DictReader(io.StringIO(opened(ask(cai, **wanted))[0].decode()))
    assert (row["sender"], row["recipient"], row["recipient_jurisdiction"]) == ("ca-qc.sq", "us-ny.nysp", "US-NY")
    assert (row["alert_id"], row["identifier"], row["type"]) == (
        sent["alert_id"],
        sent["identifier"],
        "law-enforcement/wanted-person/v1",
    )
    assert row["delivery_id"] == sent["delivery_id"]
    assert row["classes"].split() == ["identifying", "health"]
    assert row["clause"].startswith("ca-qc.us-ny.crime-2008/1#")
    assert all(row[f"{said}_{language}"] for said in ("purpose", "legal_basis") for language in ("fr", "en"))
    by_index = {each["index"]: each["entry"] for each in entries_in(ask(cai, alert_id=sent["alert_id"]))}
    kinds = [by_index[int(row[f"{kind}_index"])]["kind"] for kind in ("accepted", "routed", "proof")]
    assert kinds == ["accepted", "routed", "acknowledged"]


def test_every_delivery_once(cai: Agency, sent: Document) -> None:
    """However often a recipient answers for a delivery, it is one disclosure; the manifest counts what was read."""
    data, manifest = opened(ask(cai, report="disclosures", alert_id=sent["alert_id"]))
    assert (len(data.splitlines()), manifest["rows"], manifest["entries"]) == (1, 1, 2)


def test_whoever_is_exported_can_see_that(agencies: Agencies, sent: Document, log: LogReader) -> None:
    """The log says that an export began, and what was in it, to all parties of that."""
    manifest = opened(ask(agencies["ca-qc.cai"], alert_id=sent["alert_id"]))[1]
    log.holding(manifest["ended"])
    rows = entries_in(ask(agencies["ca-qc.cai"], kind="exported"))
    begun = next(disclosed(row) for row in rows if row["index"] == manifest["begun"])
    assert begun["content"] == {
        "filters": {"alert_id": sent["alert_id"]},
        "justification": WHY,
        "report": "entries",
        "format": "ndjson",
        "size": manifest["log_size"],
    }
    rows = entries_in(ask(agencies["ca-qc.cai"], kind="export-ended"))
    ended = next(disclosed(row) for row in rows if row["index"] == manifest["ended"])
    assert ended["jurisdictions"] == ["CA-QC"]
    assert ended["content"] == {
        "begun": manifest["begun"],
        "entries": manifest["entries"],
        "rows": manifest["rows"],
        "complete": True,
        "digest": manifest["digest"],
    }


def test_whoever_is_exported_sees_its_own_part(agencies: Agencies, cai: Agency, sent: Document, log: LogReader) -> None:
    """Another party of what was in it has an entry of its own: how many of its own entries, what was asked, and why."""
    new_york = enrol(agencies, "US-NY", roles=["auditor"], sends=[])
    answer = ask(cai, alert_id=sent["alert_id"], justification="of two parties")
    manifest = opened(answer)[1]
    own = [row for row in entries_in(answer) if "US-NY" in row["entry"]["jurisdictions"]]
    log.holding(manifest["ended"] + 1)
    told = [disclosed(row) for row in entries_in(ask(new_york, kind="export-ended"))]
    (entry,) = [each for each in told if each["content"]["begun"] == manifest["begun"]]
    assert 0 < len(own) < manifest["entries"]
    assert (entry["actor"], entry["jurisdictions"]) == ("ca-qc.cai", ["US-NY"])
    assert entry["content"] == {
        "begun": manifest["begun"],
        "entries": len(own),
        "complete": True,
        "digest": manifest["digest"],
        "filters": {"alert_id": sent["alert_id"]},
        "justification": "of two parties",
        "report": "entries",
        "format": "ndjson",
    }


def test_an_export_that_breaks_off_is_told(cai: Agency) -> None:
    """Who goes away before the end has no manifest, and the log says that it ended before it was whole."""
    headers = {"Authorization": f"Bearer {cai.token('log:read')}", "Justification": "broken off"}
    parameters = {"report": "entries", "format": "ndjson"}
    with cai.http.stream("GET", EXPORTS, params=parameters, headers=headers) as answer:
        assert answer.status_code == 200
    ends, begun = _awaited_ends(cai, "broken off")
    assert [each["begun"] for each in ends].count(begun) == 1


def test_head_takes_nothing(cai: Agency) -> None:
    """HEAD has the fields alone; the log does not say that anything was taken, and the connection is good for more."""
    headers = {"Authorization": f"Bearer {cai.token('log:read')}", "Justification": "head alone"}
    answer = cai.http.head(EXPORTS, params={"report": "entries", "format": "ndjson"}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert cai.http.get("/log/checkpoint").status_code == 200
    ends, begun = _awaited_ends(cai, "head alone")
    assert [(each["complete"], each["entries"]) for each in ends if each["begun"] == begun] == [(False, 0)]


def _awaited_ends(auditor: Agency, justification: str) -> tuple[list[Document], int]:
    """Return the ends of exports once there is one of the export that was begun for a reason, and its beginning."""
    until = time.monotonic() + GIVES_UP_AFTER
    while not (begun := _begun_for(auditor, justification)) or begun[0] not in {
        each["begun"] for each in _ends(auditor)
    }:
        assert time.monotonic() < until, "its end was never logged"
        time.sleep(0.05)
    return _ends(auditor), begun[0]


def _begun_for(auditor: Agency, justification: str) -> list[int]:
    rows = entries_in(ask(auditor, kind="exported"))
    return [row["index"] for row in rows if disclosed(row)["content"]["justification"] == justification]


def _ends(auditor: Agency) -> list[Document]:
    return [row["entry"]["content"] for row in entries_in(ask(auditor, kind="export-ended"))]


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"format": "pdf"}, "invalid-query"),
        ({"report": "secrets"}, "invalid-query"),
        ({"kind": "nothing"}, "invalid-query"),
        ({"report": "disclosures", "kind": "accepted"}, "invalid-query"),
    ],
    ids=str,
)
def test_what_can_not_be_asked(cai: Agency, parameters: dict[str, str], problem: str) -> None:
    """A report, a format or a filter that there is not is refused."""
    assert problem_of(ask(cai, **parameters), 422) == problem


def test_auditors_alone_ask_and_say_why(agencies: Agencies, cai: Agency) -> None:
    """Nobody exports without the scope, or without a justification."""
    assert problem_of(ask(cai, justification=None), 400) == "justification-required"
    agency = agencies["ca-qc.sq"]
    headers = {"Authorization": f"Bearer {agency.token()}", "Justification": "x"}
    answer = agency.http.get(EXPORTS, params={"report": "entries", "format": "csv"}, headers=headers)
    assert problem_of(answer, 403) == "token-refused"
