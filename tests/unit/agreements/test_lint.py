"""What lint finds, and on which line: errors that make an agreement void, and warnings for whoever signs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agreements.lint import Finding, Severity, lint
from schemas.ids import JurisdictionCode
from schemas.registry import ParticipantStatement
from tests.unit.agreements.builders import NOW, NY, QC, VT

HEAD = """\
agreement: lacolle.agreement/v1
id: ca-qc.us-ny.test
version: 1
title: {fr: Titre, en: Title}
purpose: {fr: But, en: Purpose}
legal_basis: {fr: Loi, en: Law}
privacy_assessment: {fr: ÉFVP, en: PIA}
parties: [CA-QC, US-NY]
valid:
  from: 2026-01-01T00:00:00Z
  until: 2027-01-01T00:00:00Z
grants:
"""


def clause(number: str, **changes: str) -> str:
    """Write a clause on eight lines; the first is the one with its dash."""
    parts = {
        "from": "[ca-qc.sq]",
        "to": "[us-ny.nysp]",
        "types": "[public-health/outbreak/v1]",
        "status": "[Actual]",
        "lane": "routine",
        **changes,
    }
    return f"""\
  - clause: "{number}"
    from: {parts["from"]}
    to: {parts["to"]}
    types: {parts["types"]}
    conditions:
      - {{condition: status, in: {parts["status"]}}}
      - {{condition: tlp, ceiling: AMBER}}
    obligations: [{{obligation: lane, lane: {parts["lane"]}}}]
"""


def statement(participant: str, *roles: str, sends: tuple[str, ...] = ("public-health/*",)) -> ParticipantStatement:
    """Return what an authority says of an agency."""
    return ParticipantStatement.model_validate(
        {
            "statement": "participant",
            "participant": participant,
            "jurisdiction": participant.partition(".")[0].upper(),
            "name": {"fr": participant, "en": participant},
            "roles": roles,
            "sends": sends,
            "keys": [],
            "hosts": [],
            "from": "2026-01-01T00:00:00Z",
            "until": "2027-01-01T00:00:00Z",
        }
    )


PARTICIPANTS = (
    statement("ca-qc.sq", "sender", "receiver"),
    statement("ca-qc.cai", "auditor", sends=()),
    statement("us-ny.nysp", "sender", "receiver", sends=("law-enforcement/*",)),
)


def findings(text: str, *, now: datetime = NOW, known: tuple[JurisdictionCode, ...] = (QC, NY)) -> tuple[Finding, ...]:
    """Lint a text in an exchange of two jurisdictions."""
    return lint(text, file="a.yaml", now=now, jurisdictions=known, participants=PARTICIPANTS)


def found(
    text: str, *, now: datetime = NOW, known: tuple[JurisdictionCode, ...] = (QC, NY)
) -> list[tuple[int, str, str]]:
    """Return the line, severity and path of each finding."""
    for finding in findings(text, now=now, known=known):
        assert finding.file == "a.yaml"
        assert finding.reason.fr != finding.reason.en
    return [(each.line, each.severity.value, each.path) for each in findings(text, now=now, known=known)]


def test_nothing_to_say() -> None:
    """A sound agreement has no finding."""
    assert found(HEAD + clause("1.1") + clause("1.2", status="[Exercise]") + clause("1.3", lane="urgent")) == []


def test_what_is_invalid_is_an_error_at_its_line() -> None:
    """Everything that is wrong with the document is told, in the order of its lines."""
    text = HEAD.replace("version: 1", "version: none") + clause("1.1", status="[]", types="[outbreak]")
    assert found(text) == [
        (3, "error", "version"),
        (16, "error", "grants[0].types[0]"),
        (18, "error", "grants[0].conditions[0].in"),
    ]


def test_a_line_that_is_no_yaml_is_an_error() -> None:
    """A text that does not read as YAML has one finding, at the line where reading stopped."""
    assert found(HEAD + "  - clause: [\n") == [(14, "error", "")]


def test_an_unknown_party_is_an_error() -> None:
    """A party that the exchange does not know is told where the parties stand."""
    assert found(HEAD + clause("1.1"), known=(QC, VT)) == [(8, "error", "parties[1]")]


def test_an_unknown_participant_is_an_error() -> None:
    """A participant that no authority vouches for is told where the clause names it; the clause is of no use then."""
    assert found(HEAD + clause("1.1", to="[us-ny.nyspp]")) == [
        (13, "warning", "grants[0]"),
        (15, "error", "grants[0].to[0]"),
    ]


def test_what_is_over_is_an_error() -> None:
    """An agreement that ended is void; at its last instant it is not over yet."""
    text = HEAD + clause("1.1")
    assert found(text, now=datetime(2027, 1, 1, tzinfo=UTC)) == [(11, "error", "valid.until")]
    assert found(text, now=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)) == []


def test_a_repeated_clause_is_a_warning() -> None:
    """A clause that says what an earlier one says, in whatever order, is told with the earlier one's number."""
    both = {"types": "[public-health/outbreak/v1, public-health/case-notification/v1]", "status": "[Actual, Test]"}
    other = {"types": "[public-health/case-notification/v1, public-health/outbreak/v1]", "status": "[Test, Actual]"}
    text = HEAD + clause("1.1", **both) + clause("1.2", **other)
    assert found(text) == [(21, "warning", "grants[1]")]
    (finding,) = findings(text)
    assert "same as clause 1.1" in finding.reason.en


@pytest.mark.parametrize(
    ("changes", "overlap"),
    [
        ({"types": "[public-health/*]"}, True),
        ({"from": "[CA-QC]"}, True),
        ({"to": "[US-NY]"}, True),
        ({"status": "[Test, Actual]"}, True),
        ({"status": "[Test]"}, False),
        ({"lane": "urgent"}, False),
        ({"types": "[public-health/case-notification/v1]"}, False),
        ({"from": "[us-ny.nysp]", "to": "[ca-qc.sq]", "types": "[law-enforcement/*]"}, False),
    ],
)
def test_an_overlap_is_a_warning(changes: dict[str, str], overlap: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Two clauses of one lane that could let the same alert through are told; others are not."""
    text = HEAD + clause("1.1") + clause("1.2", **changes)
    assert found(text) == ([(21, "warning", "grants[1]")] if overlap else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"from": "[us-ny.nysp]", "to": "[ca-qc.sq]"},
        {"to": "[ca-qc.sq]"},
        {"from": "[ca-qc.cai]"},
        {"to": "[ca-qc.cai]"},
        {"types": "[law-enforcement/*]"},
    ],
)
def test_a_clause_that_nobody_can_use_is_a_warning(changes: dict[str, str]) -> None:
    """Without a sender of its types, or a receiver other than that sender, a clause is told as useless today."""
    assert found(HEAD + clause("1.1", **changes)) == [(13, "warning", "grants[0]")]


def test_a_type_that_no_alert_has_is_a_warning() -> None:
    """A type or a domain that the catalogue does not have is told where the clause names it."""
    text = HEAD + clause("1.1", types="[public-health/outbreak/v1, public-health/outbrake/v1, astrology/*]")
    assert found(text) == [(16, "warning", "grants[0].types[1]"), (16, "warning", "grants[0].types[2]")]


def test_findings_come_by_line_errors_first() -> None:
    """Findings are in the order of lines; on one line errors come before warnings."""
    text = HEAD + clause("1.1", **{"from": "[ca-qc.nobody]", "types": "[astrology/*]"})
    lines = [finding.line for finding in findings(text)]
    assert lines == sorted(lines)
    assert {finding.severity for finding in findings(text)} == {Severity.ERROR, Severity.WARNING}
