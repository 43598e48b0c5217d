"""Who may see what: every role against every object, and whoever may not can't tell it from what never was."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx2
import pytest

from tests.acceptance.agency import ALERTS, Agencies, Agency, members
from tests.acceptance.alerts import stolen_vehicle
from tests.acceptance.enrolment import enrol
from tests.acceptance.independent import Document
from tests.acceptance.log_reader import LogReader

ABSENT: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
ABSENT_AGREEMENT: Final = ("ca-qc.us-ny.nothing", 1)
WHY: Final = {"Justification": b"a matrix"}

Look = Callable[[Agency, Document], httpx2.Response]
"""Asks for an object of an alert's, which may be one that never was."""


def _log(path: str, **more: str) -> Look:
    def look(who: Agency, alert: Document) -> httpx2.Response:
        headers: dict[str, Any] = {"Authorization": f"Bearer {who.token('log:read')}", **WHY}
        return who.http.get(path, params={"alert_id": alert["alert_id"], **more}, headers=headers)

    return look


def _alert(who: Agency, alert: Document) -> httpx2.Response:
    return who.get(f"{ALERTS}/{alert['alert_id']}")


def _by_name(who: Agency, alert: Document) -> httpx2.Response:
    return who.get(ALERTS, sender=alert["sender"], identifier=alert["identifier"])


def _agreement(who: Agency, alert: Document) -> httpx2.Response:
    agreement, version = alert["agreement"]
    return who.get(f"/v1/agreements/{agreement}/{version}")


def _evidence(who: Agency, alert: Document) -> httpx2.Response:
    headers: dict[str, Any] = {"Authorization": f"Bearer {who.token()}", **WHY}
    return who.http.get(f"{ALERTS}/{alert['alert_id']}/evidence", headers=headers)


OBJECTS: Final[Mapping[str, Look]] = {
    "the alert": _alert,
    "the alert by its name": _by_name,
    "its evidence": _evidence,
    "its entries": _log("/v1/log/entries"),
    "who received it": _log("/v1/log/questions/received"),
    "what was withheld": _log("/v1/log/questions/withheld"),
    "an export": _log("/v1/log/exports", report="entries", format="ndjson"),
    "its disclosures": _log("/v1/log/exports", report="disclosures", format="csv"),
    "the agreement": _agreement,
}
READING: Final = frozenset({"the alert", "the alert by its name", "its evidence"})
ASKING: Final = frozenset(OBJECTS) - READING - {"the agreement"}
DENIALS: Final = "what was withheld"
"""What recipients must not learn: who else an alert was withheld from."""

ROLES: Final[Mapping[str, frozenset[str]]] = {
    "the sender": READING | {"the agreement"},
    "the recipient": READING | {"the agreement"},
    "another agency of the sender's jurisdiction": frozenset({"the agreement"}),
    "another agency of the recipient's jurisdiction": frozenset({"the agreement"}),
    "an agency elsewhere": frozenset(),
    "an auditor of the sender's jurisdiction": READING | ASKING | {"the agreement"},
    "an auditor of the recipient's jurisdiction": READING | ASKING - {DENIALS} | {"the agreement"},
    "an auditor elsewhere": frozenset(),
}
AUDITORS: Final = {
    "an auditor of the sender's jurisdiction": "CA-QC",
    "an auditor of the recipient's jurisdiction": "US-NY",
    "an auditor elsewhere": "US-ME",
}
AGENCIES: Final = {
    "the sender": "ca-qc.sq",
    "the recipient": "us-ny.nysp",
    "another agency of the sender's jurisdiction": "ca-qc.msss",
    "another agency of the recipient's jurisdiction": "us-ny.doh",
    "an agency elsewhere": "us-me.msp",
}


@pytest.fixture(scope="module")
def roles(agencies: Agencies) -> Mapping[str, Agency]:
    """Return somebody in each role."""
    auditors = {
        role: enrol(agencies, jurisdiction, roles=["auditor"], sends=[]) for role, jurisdiction in AUDITORS.items()
    }
    return {**{role: agencies[each] for role, each in AGENCIES.items()}, **auditors}


@pytest.fixture(scope="module")
def alert(agencies: Agencies, log: LogReader) -> Document:
    """Return a stolen vehicle that went to New York's police alone, was answered for, and is under a checkpoint."""
    document = stolen_vehicle({"addresses": ["us-ny.nysp"]})
    accepted = agencies["ca-qc.sq"].send(document)
    recipient = agencies["us-ny.nysp"]
    [delivery] = recipient.read(accepted["alert_id"])["deliveries"]
    answer = recipient.acknowledge(accepted["alert_id"], delivery["delivery_id"])
    log.holding(members(answer)["log_index"])
    return {**document, "alert_id": accepted["alert_id"], "agreement": ("ca-qc.us-ny.crime-2008", 1)}


def _rows(answer: httpx2.Response) -> int:
    """Return how many entries or rows an answer shows."""
    if answer.headers["content-type"] != "application/zip":
        return len(members(answer)["entries"])
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    (data,) = [name for name in archive.namelist() if name != "manifest.jws"]
    return len(archive.read(data).splitlines()) - data.endswith(".csv")


def _likeness(answer: httpx2.Response) -> tuple[int, str, str]:
    """Return what is left of an answer without what differs between any two: ids, numbers, signatures."""
    if answer.headers["content-type"] == "application/zip":
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        data = {
            re.sub(r"[0-9]+", "0", name): archive.read(name) for name in archive.namelist() if "manifest" not in name
        }
        return answer.status_code, "application/zip", repr(data)
    body = {name: value for name, value in members(answer).items() if name not in {"instance", "checkpoint"}}
    return answer.status_code, answer.headers["content-type"], re.sub(r"[0-9]+", "0", repr(body))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", OBJECTS)
def test_the_matrix(roles: Mapping[str, Agency], alert: Document, role: str, name: str) -> None:
    """Who may see an object sees it; to all others it is as one that never was, or they may not ask at all."""
    who, look = roles[role], OBJECTS[name]
    if name in ASKING and role not in AUDITORS:
        assert who.ask_token(who.assertion(), scope="log:read").status_code == 400
        return
    answer = look(who, alert)
    absent = look(who, {**alert, "alert_id": ABSENT, "identifier": "never-sent", "agreement": ABSENT_AGREEMENT})
    if name in ROLES[role]:
        assert answer.status_code == 200
        assert name not in ASKING or _rows(answer) > 0
        assert _likeness(answer) != _likeness(absent)
    else:
        assert name in ASKING or answer.status_code == 404
        assert name not in ASKING or _rows(answer) == 0
        assert _likeness(answer) == _likeness(absent)


@pytest.mark.parametrize("name", OBJECTS)
def test_nobody(agencies: Agencies, alert: Document, name: str) -> None:
    """Without a token nothing is there for anybody to see, or to find out about."""

    class Nobody(Agency):
        """A system that was never let in."""

        def token(self, scope: str = "alerts:read", key: object = None) -> str:  # noqa: ARG002 - as an agency's
            """Return what is no token."""
            return "none"

    known = agencies["ca-qc.sq"]
    answer = OBJECTS[name](Nobody(known.participant, known.keys, known.http, known.issuer), alert)
    assert answer.status_code == 401
