"""What lint finds, and on which line: errors that make an agreement void, and warnings for whoever signs."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from agreements.lint import Finding, Severity, lint
from schemas.ids import JurisdictionCode
from schemas.statements import ParticipantStatement
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
        "obligations": "",
        "conditions": "",
        **changes,
    }
    more = f", {parts['obligations']}" if parts["obligations"] else ""
    asked = f"      - {parts['conditions']}\n" if parts["conditions"] else ""
    return f"""\
  - clause: "{number}"
    from: {parts["from"]}
    to: {parts["to"]}
    types: {parts["types"]}
    conditions:
      - {{condition: status, in: {parts["status"]}}}
      - {{condition: tlp, ceiling: AMBER}}
{asked}    obligations: [{{obligation: lane, lane: {parts["lane"]}}}{more}]
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


def obliged(said: str, **changes: str) -> list[tuple[int, str, str]]:
    """Lint a clause with one more obligation than its lane, and return what is found."""
    return found(HEAD + clause("1.1", obligations=said, **changes))


@pytest.mark.parametrize(
    ("said", "types", "expected"),
    [
        ("{obligation: redact, paths: [/note, /info/*/contact]}", "[public-health/*]", []),
        ("{obligation: redact, paths: [/body/patient/name/surname]}", "[public-health/case-notification/v1]", []),
        (
            "{obligation: redact, paths: [/note, /body/patient/nom]}",
            "[public-health/case-notification/v1]",
            [("error", "paths[1]")],
        ),
        ("{obligation: de-identify, paths: [/note/x]}", "[public-health/outbreak/v1]", [("error", "paths[0]")]),
        ("{obligation: redact, paths: [/info/contact]}", "[public-health/outbreak/v1]", [("error", "paths[0]")]),
        (
            "{obligation: redact, paths: [/body/patient]}",
            "[public-health/case-notification/v1, public-health/outbreak/v1]",
            [("error", "paths[0]")],
        ),
        ("{obligation: redact, paths: [/body/patient]}", "[public-health/*]", [("warning", "paths[0]")]),
        ("{obligation: redact, paths: [/body/nothing]}", "[public-health/*]", [("error", "paths[0]")]),
        (
            "{obligation: precision, year: [/body/patient/birthDate], region: [/body/patient/residence]}",
            "[public-health/case-notification/v1]",
            [],
        ),
        (
            "{obligation: precision, year: [/body/patient/residence]}",
            "[public-health/case-notification/v1]",
            [("error", "year[0]")],
        ),
        (
            "{obligation: precision, region: [/body/place]}",
            "[public-health/case-notification/v1]",
            [("error", "region[0]")],
        ),
        ("{obligation: redact, classes: [health]}", "[public-health/*]", []),
    ],
)
def test_what_is_withheld_must_be_there(said: str, types: str, expected: list[tuple[str, str]]) -> None:
    """A path that a named type lacks, or a whole domain, is an error; that some types of a domain lack, a warning."""
    line = 20
    assert obliged(said, types=types) == [
        (line, severity, f"grants[0].obligations[1].{place}") for severity, place in expected
    ]


def test_a_class_that_no_type_has_is_a_warning() -> None:
    """A class of which no covered type has a field withholds nothing, which the signer may not know."""
    text = HEAD + clause(
        "1.1",
        obligations="{obligation: redact, classes: [identifying, health]}",
        types="[emergency-management/public-warning/v1]",
    )
    marked = [each for each in found(text) if "classes" in each[2]]
    assert marked == [
        (20, "warning", "grants[0].obligations[1].classes[0]"),
        (20, "warning", "grants[0].obligations[1].classes[1]"),
    ]


@pytest.mark.parametrize("path", ["/sender", "/handling/tlp", "/references", "/status"])
def test_withholding_the_header_is_an_error(path: str) -> None:
    """What an alert is known and handled by can't be withheld: the document is void."""
    assert obliged(f"{{obligation: redact, paths: [{path}]}}") == [(20, "error", "grants[0].obligations[1].paths[0]")]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{obligation: copy-to, participants: [us-ny.nysp]}", []),
        ("{obligation: copy-to, participants: [us-ny.nobody]}", [("error", "participants[0]")]),
        ("{obligation: copy-to, participants: [ca-qc.cai]}", [("warning", "participants[0]")]),
        ("{obligation: consent-by, participants: [us-ny.nobody], within: 60}", [("error", "participants[0]")]),
        ("{obligation: consent-by, parties: [US-NY], within: 60}", []),
    ],
)
def test_who_is_told_or_asked_must_be_known(said: str, expected: list[tuple[str, str]]) -> None:
    """An unknown participant in copy-to or consent-by is an error; one that may not receive can't be told."""
    assert obliged(said) == [(20, severity, f"grants[0].obligations[1].{place}") for severity, place in expected]


@pytest.mark.parametrize(("status", "reachable"), [("[Actual]", False), ("[Actual, Exercise]", True)])
def test_a_clause_that_lets_nothing_through_is_an_error(status: str, reachable: bool) -> None:  # noqa: FBT001 - a table
    """A clause for exercises alone that allows no exercise can't be used by anybody, ever."""
    assert obliged("{obligation: exercise-only}", status=status) == ([] if reachable else [(13, "error", "grants[0]")])


def test_a_consent_that_comes_too_late_is_a_warning() -> None:
    """Where the delivery is due before the consent is, the deadline can't be kept."""
    late = "{obligation: deadline, delivery: 60}, {obligation: consent-by, parties: [US-NY], within: 60}"
    assert obliged(late) == [(20, "warning", "grants[0].obligations[2].within")]
    assert obliged(late.replace("within: 60", "within: 59")) == []


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"types": "[public-health/*]"}, {}, "This clause changes nothing: clause 1.1"),
        ({}, {"types": "[public-health/*]"}, "Clause 1.1 changes nothing: this clause"),
        ({"status": "[Actual, Test]"}, {"obligations": "{obligation: retention, days: 5}"}, "in the same lane"),
        ({"obligations": "{obligation: redact, paths: [/note]}"}, {"from": "[CA-QC]"}, "differ in what they withhold"),
        (
            {"obligations": "{obligation: consent-by, parties: [CA-QC], within: 60}", "status": "[Actual, Test]"},
            {"lane": "urgent"},
            "differ in the consent that they require",
        ),
        (
            {"obligations": "{obligation: onward, rule: forbidden}, {obligation: redact, paths: [/note]}"},
            {"from": "[CA-QC]"},
            "differ in what they withhold and onward sharing",
        ),
    ],
)
def test_two_clauses_beside_each_other(first: dict[str, str], second: dict[str, str], words: str) -> None:
    """Of two clauses that meet, a warning says whether one changes nothing, or in what they surprise."""
    (finding,) = findings(HEAD + clause("1.1", **first) + clause("1.2", **second))
    assert (finding.severity, finding.path) == (Severity.WARNING, "grants[1]")
    assert words in finding.reason.en


def test_what_is_still_missing_is_told_where_asked() -> None:
    """With the parties that have signed given, one that has not, or without a contact, is told at its place."""
    text = (HEAD + clause("1.1")).replace("grants:", "contacts: [{party: CA-QC, office: {fr: B, en: O}}]\ngrants:")
    told = lint(text, file="a.yaml", now=NOW, jurisdictions=(QC, NY), participants=PARTICIPANTS, signed=(NY,))
    assert [(each.line, each.severity, each.path) for each in told] == [
        (8, Severity.WARNING, "parties[0]"),
        (8, Severity.WARNING, "parties[1]"),
    ]
    assert [each.reason.en.split()[2] for each in told] == ["has", "has"]
    assert {each.reason.en for each in told} == {
        "This party has not signed yet.",
        "This party has named nobody to answer for the agreement.",
    }


def test_a_region_that_no_clause_names_is_a_warning() -> None:
    """A region that nothing refers to was hardly meant; one that a condition names is fine."""
    region = 'regions: [{name: lake, fr: L, en: L, codes: [{scheme: SGC, in: ["24"]}]}]\ngrants:'
    text = HEAD.replace("grants:", region)
    assert found(text + clause("1.1")) == [(12, "warning", "regions[0]")]
    assert found(text + clause("1.1", conditions="{condition: area, regions: [lake]}")) == []
    assert found(text + clause("1.1", conditions="{condition: area, regions: [sea]}")) == [
        (21, "error", "grants[0].conditions[2].regions[0]")
    ]


@pytest.mark.parametrize("member", ["title", "purpose", "legal_basis", "privacy_assessment"])
def test_a_passage_that_says_nothing_is_an_error(member: str) -> None:
    """What a draft leaves to be filled in is not signed as it is, in either language."""
    head = re.sub(rf"^{member}: .*$", f"{member}: {{fr: Texte., en: …}}", HEAD, flags=re.MULTILINE)
    text = head + clause("1.1")
    (blank,) = [each for each in findings(text) if each.severity is Severity.ERROR]
    assert (blank.path, blank.line) == (f"{member}.en", head.split(member)[0].count("\n") + 1)
