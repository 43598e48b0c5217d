"""The document: what is refused and where, and that it has one sequence of bytes however it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from agreements.obligations import lane_of
from agreements.signed import agreement_bytes
from agreements.written import InvalidAgreementError, read_agreement
from schemas.decisions import Lane
from tests.unit.agreements.builders import Json, agreement, canonical, condition, document, grant

MINIMAL = """\
agreement: lacolle.agreement/v1
id: ca-qc.us-ny.test
version: 1
title: {fr: Titre, en: Title}
purpose: {fr: But, en: Purpose}
legal_basis: {fr: Loi, en: Law}
privacy_assessment: {fr: ÉFVP, en: PIA}
parties: [CA-QC, US-NY]
valid:
  from: 2026-01-01T00:00:00-05:00
  until: 2027-01-01T00:00:00Z
grants:
  - clause: "1.1"
    from: [CA-QC]
    to: [us-ny.nysp]
    types: [law-enforcement/*]
    conditions:
      - {condition: status, in: [Actual]}
      - {condition: tlp, ceiling: AMBER+STRICT}
"""


def faults(text: str) -> list[tuple[int, str]]:
    """Return the line and path of everything that is wrong with a text."""
    with pytest.raises(InvalidAgreementError) as caught:
        read_agreement(text, file="a.yaml")
    for error in caught.value.errors:
        assert error.reason.fr
        assert error.reason.en
    return [(error.line, ".".join(map(str, error.path))) for error in caught.value.errors]


def test_yaml_and_signed_form_are_the_same_document() -> None:
    """What is written in YAML is what its canonical bytes say, and those bytes read back give themselves."""
    written = read_agreement(MINIMAL, file="a.yaml")
    payload = agreement_bytes(written)
    assert type(written).model_validate_json(payload) == written
    assert agreement_bytes(type(written).model_validate_json(payload)) == payload
    assert payload.startswith(b'{"agreement":"lacolle.agreement/v1","grants":[{"clause":"1.1","conditions":[')
    assert b"contacts" not in payload
    assert "ÉFVP".encode() in payload


def test_layout_comments_and_order_of_members_do_not_change_the_bytes() -> None:
    """Two ways to write the same document sign the same bytes."""
    lines = MINIMAL.splitlines()
    shuffled = "# A comment.\n" + "\n".join([*lines[3:11], *lines[:3], *lines[11:]]).replace(
        "[CA-QC]", "\n      - CA-QC"
    )
    one, other = read_agreement(MINIMAL, file="a.yaml"), read_agreement(shuffled, file="b.yaml")
    assert agreement_bytes(one) == agreement_bytes(other)


def test_order_inside_lists_is_content() -> None:
    """Lists keep their order: parties in another order are another document."""
    assert agreement_bytes(agreement(document())) != agreement_bytes(agreement(document(parties=["US-NY", "CA-QC"])))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("agreement: lacolle.agreement/v1", "agreement: lacolle.agreement/v2", (1, "agreement")),
        ("version: 1", "version: 0", (3, "version")),
        ("version: 1", "version: 1.5", (3, "version")),
        ("version: 1", 'version: "1"', (3, "version")),
        ("title: {fr: Titre, en: Title}", "title: {fr: Titre}", (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: " "}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\u202Eb"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\u061Cb"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\u2028b"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\u00ADb"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\u180Eb"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\uFFF9b"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\u3164b"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\uFE0Fb"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "a\\U000E0041b"}', (4, "title.en")),
        ("title: {fr: Titre, en: Title}", 'title: {fr: Titre, en: "\\e[2J"}', (4, "title.en")),
        ("legal_basis: {fr: Loi, en: Law}", "legal_base: {fr: Loi, en: Law}", (6, "legal_base")),
        ("[CA-QC, US-NY]", "[CA-QC]", (8, "parties")),
        ("[CA-QC, US-NY]", "[CA-QC, US-NY, CA-QC]", (8, "parties")),
        ("[CA-QC, US-NY]", "[CA-QC, us-ny]", (8, "parties.1")),
        (
            "parties: [CA-QC, US-NY]",
            'contacts: [{party: CA-QC, office: {fr: a, en: a}, email: "a\\u202Eb@c"}]\nparties: [CA-QC, US-NY]',
            (8, "contacts.0.email"),
        ),
        ("2026-01-01T00:00:00-05:00", "2026-01-01", (10, "valid.from")),
        ("2026-01-01T00:00:00-05:00", "2026-01-01T00:00:00", (10, "valid.from")),
        ("2026-01-01T00:00:00-05:00", "2026-02-30T00:00:00Z", (10, "valid.from")),
        ("2026-01-01T00:00:00-05:00", "2026-01-01T00:00:00.5Z", (10, "valid.from")),
        ("2026-01-01T00:00:00-05:00", "2026-01-01t00:00:00z", (10, "valid.from")),
        ("2026-01-01T00:00:00-05:00", "0001-01-01T00:00:00+05:00", (10, "valid.from")),
        ("2027-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00", (11, "valid.until")),
        ("2026-01-01T00:00:00-05:00", "2027-01-01T00:00:00Z", (9, "valid")),
        ('clause: "1.1"', "clause: 1.1", (13, "grants.0.clause")),
        ('clause: "1.1"', 'clause: "1/1"', (13, "grants.0.clause")),
        ("from: [CA-QC]", "from: []", (14, "grants.0.from")),
        ("from: [CA-QC]", "from: [CA-QC, CA-QC]", (14, "grants.0.from")),
        ("from: [CA-QC]", "from: [CA-QC, CA-ON]", (14, "grants.0.from.1")),
        ("from: [CA-QC]", 'from: ["*"]', (14, "grants.0.from.0")),
        ("to: [us-ny.nysp]", "to: []", (15, "grants.0.to")),
        ("to: [us-ny.nysp]", "to: [us-vt.vsp]", (15, "grants.0.to.0")),
        ("to: [us-ny.nysp]", "to: us-ny.nysp", (15, "grants.0.to")),
        ("[law-enforcement/*]", "[]", (16, "grants.0.types")),
        ("[law-enforcement/*]", '["*"]', (16, "grants.0.types.0")),
        ("[law-enforcement/*]", "[law-enforcement/stolen-vehicle]", (16, "grants.0.types.0")),
        ("[law-enforcement/*]", "[law-enforcement/*, law-enforcement/*]", (16, "grants.0.types")),
        ("condition: status, in", "condition: statut, in", (18, "grants.0.conditions.0")),
        ("in: [Actual]", "in: [Reel]", (18, "grants.0.conditions.0.in.0")),
        ("in: [Actual]", "in: []", (18, "grants.0.conditions.0.in")),
        ("      - {condition: status, in: [Actual]}\n", "", (17, "grants.0.conditions")),
        ("      - {condition: tlp, ceiling: AMBER+STRICT}\n", "", (17, "grants.0.conditions")),
        ("parties:", "contacts: [{party: CA, office: {fr: a, en: b}}]\nparties:", (8, "contacts.0.party")),
        (
            "    conditions:",
            "    obligations: [{obligation: lane, lane: express}]\n    conditions:",
            (17, "grants.0.obligations.0.lane"),
        ),
        (
            "    conditions:",
            "    obligations: [{obligation: shred}]\n    conditions:",
            (17, "grants.0.obligations.0"),
        ),
        (
            "    conditions:",
            "    obligations: [{obligation: redact}]\n    conditions:",
            (17, "grants.0.obligations.0"),
        ),
        (
            "    conditions:",
            "    obligations: [{obligation: redact, paths: [/handling/tlp]}]\n    conditions:",
            (17, "grants.0.obligations.0.paths.0"),
        ),
    ],
)
def test_every_fault_is_told_at_its_line(old: str, new: str, where: tuple[int, str]) -> None:
    """What a document may not say is refused at the line and path where it says it."""
    assert old in MINIMAL
    assert where in faults(MINIMAL.replace(old, new))


def test_all_faults_are_told_at_once() -> None:
    """Faults of different places are all told, those that only the whole document shows after the rest are right."""
    text = MINIMAL.replace("version: 1", "version: 0").replace("[us-ny.nysp]", "[]").replace("Actual", "Reel")
    assert faults(text) == [(3, "version"), (15, "grants.0.to"), (18, "grants.0.conditions.0.in.0")]
    second = MINIMAL + MINIMAL[MINIMAL.index("  - clause") :].replace("us-ny.nysp", "us-me.msp")
    assert faults(second) == [(20, "grants.1.clause"), (22, "grants.1.to.0")]


def test_what_is_no_yaml_is_refused() -> None:
    """A text that is not YAML, or says a member twice, is refused with its line."""
    assert faults("id: a\nparties: [CA-QC\nversion: 1\n") == [(3, "")]
    assert faults(MINIMAL + "version: 2\n") == [(20, "version")]


def test_lane_is_an_obligation_that_stands_once() -> None:
    """A grant's lane is the one it names, else routine; naming one twice makes the agreement invalid."""
    assert [
        lane_of(agreement(document(grant(lane=lane))).grants[0].obligations) for lane in (None, "routine", "urgent")
    ] == [
        Lane.ROUTINE,
        Lane.ROUTINE,
        Lane.URGENT,
    ]
    lane = {"obligation": "lane", "lane": "urgent"}
    with pytest.raises(ValueError, match="already stands"):
        agreement(document({**grant(), "obligations": [lane, lane]}))


def test_a_document_cannot_be_changed() -> None:
    """What was read is frozen, down to its conditions."""
    read = agreement(document(grant("1.1", condition("severity", "Severe"))))
    for part in (read, read.valid, read.grants[0], read.grants[0].conditions[0], read.title):
        with pytest.raises(ValueError, match="frozen"):
            part.__setattr__(next(iter(type(part).model_fields)), None)


@pytest.mark.parametrize("absent", [{"contacts": []}, {"grants": [{**grant(), "obligations": []}]}])
def test_what_is_absent_has_one_spelling(absent: Json) -> None:
    """An empty list for what is absent reads as the same document, and is not the form that is signed."""
    value = document(**absent)
    assert agreement_bytes(agreement(value)) != canonical(value)
    assert agreement(value) == agreement(document())


def test_samples_are_written_alike(samples: Path) -> None:
    """Every sample agreement reads, and its file bears its name."""
    names = {
        path.stem: read_agreement(path.read_text(), file=path.name).id for path in samples.glob("agreements/*.yaml")
    }
    assert len(names) == 4
    assert all(stem == name for stem, name in names.items())
