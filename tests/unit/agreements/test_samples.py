"""The samples that ship with the exchange: sound, in force, and deciding what the demonstration shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from agreements.decide import decide
from agreements.explain import explain
from agreements.lint import lint
from agreements.reasons import Code
from agreements.signed import (
    VerifiedAgreement,
    agreement_bytes,
    read_signed,
)
from agreements.snapshot import Snapshot
from agreements.written import read_agreement
from schemas.alerts.header import Alert
from schemas.decisions import Decision, Lane, Permit
from schemas.fields import Name
from schemas.ids import JurisdictionCode, KeyId, home_of
from schemas.located_yaml import load_yaml
from schemas.signing.jws import AGREEMENT, join_signatures, sign_compact
from schemas.signing.keys import SigningKey
from schemas.statements import Jurisdiction, ParticipantStatement, Role
from tests.unit.agreements.builders import NOW, SIGNED_AT, Json, alert, info

AGREEMENTS = (
    "ca-qc.us-me.law-enforcement",
    "ca-qc.us-ny.crime-2008",
    "ca-qc.us-vt.law-enforcement",
    "eastern-border-health-initiative",
)
STOLEN = {"vehicle": {"plate": {"number": "H12 ABC", "jurisdiction": "CA-QC"}}, "circumstances": "Vol de nuit."}
MISSING = {
    "amber": True,
    "category": "involuntary",
    "person": {"age": 7},
    "lastSeen": {"at": "2026-06-01T07:00:00-04:00", "place": "Lacolle"},
    "circumstances": "Enlèvement.",
}


@pytest.fixture(scope="module")
def entries(samples: Path) -> list[Json]:
    """Return the participants, as their file lists them."""
    return listed(samples / "participants.yaml", "participants")


@pytest.fixture(scope="module")
def codes(samples: Path) -> list[JurisdictionCode]:
    """Return the codes of the jurisdictions."""
    return [JurisdictionCode(str(entry["code"])) for entry in listed(samples / "jurisdictions.yaml", "jurisdictions")]


@pytest.fixture(scope="module")
def statements(entries: list[Json]) -> list[ParticipantStatement]:
    """Return what each participant's authority would sign about it."""
    window = {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    return [
        ParticipantStatement.model_validate(
            {
                "statement": "participant",
                **{name: value for name, value in entry.items() if name != "format"},
                "keys": [],
                "hosts": [],
                **window,
            }
        )
        for entry in entries
    ]


@pytest.fixture(scope="module")
def agreements(samples: Path, codes: list[JurisdictionCode], statements: list[ParticipantStatement]) -> Snapshot:
    """Return the samples as an exchange has them: signed by every party, read back, verified."""
    keys = {code: SigningKey.generate(KeyId(f"{code}.sample"), "Ed25519") for code in codes}
    pinned = {
        code: Jurisdiction.model_validate(
            {"code": code, "name": {"fr": code, "en": code}, "authority_keys": [dict(key.public.jwk)]}
        )
        for code, key in keys.items()
    }
    complete: list[VerifiedAgreement] = []
    for name in AGREEMENTS:
        document = read_agreement((samples / "agreements" / f"{name}.yaml").read_text(), file=name)
        signatures = [
            sign_compact(agreement_bytes(document), key=keys[party], profile=AGREEMENT, iat=SIGNED_AT)
            for party in document.parties
        ]
        complete.append(VerifiedAgreement(read_signed(join_signatures(signatures), pinned)))
    receivers = [each.participant for each in statements if Role.RECEIVER in each.roles]
    return Snapshot.of([(name, home_of(name)) for name in receivers], complete)


def listed(path: Path, name: str) -> list[Json]:
    """Return the one list of a YAML file."""
    value = load_yaml(path.read_text(), file=path.name).value
    assert isinstance(value, dict)
    items = value[name]
    assert isinstance(items, list)
    return [{**item} for item in items if isinstance(item, dict)]


def permitted(decisions: tuple[Decision, ...]) -> dict[str, tuple[str, str]]:
    """Return who receives, under which clause, in which lane."""
    return {
        each.recipient: (f"{each.under.agreement}#{each.under.clause}", each.lane.value)
        for each in decisions
        if isinstance(each, Permit)
    }


def test_five_jurisdictions_ten_participants_four_agreements(
    samples: Path, codes: list[JurisdictionCode], entries: list[Json]
) -> None:
    """The samples are those that the demonstration speaks of, with both of a partner's formats among them."""
    assert codes == ["CA", "CA-QC", "US-ME", "US-NY", "US-VT"]
    assert len(entries) == 10
    assert {entry.get("format") for entry in entries} == {"native", "cap", None}
    assert sorted(path.stem for path in samples.glob("agreements/*.yaml")) == sorted(AGREEMENTS)
    for entry in listed(samples / "jurisdictions.yaml", "jurisdictions"):
        Name.model_validate(entry["name"])


@pytest.mark.parametrize("name", AGREEMENTS)
def test_lint_finds_nothing(
    samples: Path, codes: list[JurisdictionCode], statements: list[ParticipantStatement], name: str
) -> None:
    """Every sample agreement is without error and without warning among the sample participants."""
    text = (samples / "agreements" / f"{name}.yaml").read_text()
    assert lint(text, file=name, now=NOW, jurisdictions=codes, participants=statements) == ()


def test_a_stolen_vehicle_reaches_new_york_and_vermont_but_not_maine(agreements: Snapshot) -> None:
    """The demonstration's first scene: two states receive it, and the agreement with Maine does not cover it."""
    stolen = alert(info(), type="law-enforcement/stolen-vehicle/v1", body=STOLEN, tlp="AMBER")
    decisions = decide(stolen, agreements, NOW, reached={})
    assert permitted(decisions) == {
        "us-ny.nysp": ("ca-qc.us-ny.crime-2008#3.1", "urgent"),
        "us-vt.vsp": ("ca-qc.us-vt.law-enforcement#2.1", "routine"),
    }
    (maine,) = [each for each in decisions if each.recipient == "us-me.msp"]
    assert maine.reason.code == Code.NO_GRANT
    assert "ca-qc.us-me.law-enforcement/1" in explain(maine.reason).fr


def test_a_child_abduction_is_urgent_everywhere(agreements: Snapshot) -> None:
    """A missing person is routine; severe and immediate, it travels in the urgent lane to all three states."""
    states = {"us-ny.nysp", "us-vt.vsp", "us-me.msp"}
    for severity, lane in (("Moderate", Lane.ROUTINE), ("Extreme", Lane.URGENT)):
        missing = alert(info(severity=severity), type="law-enforcement/missing-person/v1", body=MISSING, tlp="AMBER")
        found = permitted(decide(missing, agreements, NOW, reached={}))
        assert {name: found[name][1] for name in found} == dict.fromkeys(states, lane.value)


def warning(status: str, **changes: str) -> Alert:
    """Return a public warning of Québec's ministry, as CAP feeds have them."""
    return alert(info(**changes), sender="ca-qc.msp", status=status, tlp="CLEAR")


@pytest.mark.parametrize("status", ["Actual", "Exercise", "System", "Test", "Draft"])
def test_public_warnings_reach_the_health_authorities(agreements: Snapshot, status: str) -> None:
    """A public warning of whatever status reaches the three neighbours, each status under the clause that names it."""
    found = permitted(decide(warning(status, severity="Unknown"), agreements, NOW, reached={}))
    clause = "eastern-border-health-initiative#" + ("3.1" if status == "Actual" else "3.3")
    assert found == dict.fromkeys(["ca.phac", "us-ny.doh", "us-vt.vdh"], (clause, "routine"))


def test_a_cancelled_warning_reaches_those_who_had_it(agreements: Snapshot) -> None:
    """A Cancel without info reaches whom the warning reached, in the lane that it travelled in."""
    first = decide(warning("Actual"), agreements, NOW, reached={})
    reached = {each.recipient: each.under for each in first if isinstance(each, Permit)}
    cancel = alert(
        identifier="SQ-2",
        sender="ca-qc.msp",
        msgType="Cancel",
        references=["ca-qc.msp,SQ-1,2026-06-01T08:00:00-04:00"],
    )
    assert permitted(decide(cancel, agreements, NOW, reached=reached)) == permitted(first)


def test_an_auditor_never_receives(agreements: Snapshot, statements: list[ParticipantStatement]) -> None:
    """The access-to-information commission is no candidate; every sender, and nobody else, may send something."""
    assert "ca-qc.cai" not in dict(agreements.candidates)
    assert all((Role.SENDER in each.roles) == bool(each.sends) for each in statements)
