"""What each condition lets through: one truth table apiece, and how conditions are refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from agreements.conditions import Condition, requirement
from agreements.conditions.header import TLP_ORDER
from agreements.reasons import Code
from schemas.alerts.header import Alert
from schemas.decisions import Reason
from tests.unit.agreements.builders import (
    Json,
    agreement,
    alert,
    canonical,
    condition,
    document,
    following,
    grant,
    info,
)

STATUSES = ("Actual", "Exercise", "System", "Test", "Draft")


READER: TypeAdapter[Condition] = TypeAdapter(Condition)


def unmet(stated: Json, of: Alert) -> Reason | None:
    """Read a condition as it is signed and ask it about an alert."""
    return requirement(READER.validate_json(canonical(stated)), ()).unmet(of)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("allowed", [("Actual",), ("Exercise", "Test"), STATUSES])
def test_status_table(status: str, allowed: tuple[str, ...]) -> None:
    """An alert passes a status condition exactly when its status is named."""
    reason = unmet(condition("status", *allowed), alert(info(), status=status))
    assert (reason is None) == (status in allowed)
    assert reason is None or reason.code == Code.STATUS_NOT_ALLOWED


@pytest.mark.parametrize("label", TLP_ORDER)
@pytest.mark.parametrize("ceiling", TLP_ORDER)
def test_tlp_table(label: str, ceiling: str) -> None:
    """An alert passes a ceiling exactly when CLEAR < GREEN < AMBER < AMBER+STRICT < RED puts it at or below."""
    order = ["CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"]
    reason = unmet(condition("tlp", ceiling), alert(info(), tlp=label))
    assert (reason is None) == (order.index(label) <= order.index(ceiling))
    assert reason is None or reason.code == Code.TLP_ABOVE_CEILING


INFO_TABLE = [
    ("severity", Code.SEVERITY_NOT_ALLOWED, "Extreme", "Severe", "Minor"),
    ("urgency", Code.URGENCY_NOT_ALLOWED, "Immediate", "Expected", "Past"),
    ("certainty", Code.CERTAINTY_NOT_ALLOWED, "Observed", "Likely", "Unknown"),
]


@pytest.mark.parametrize(("member", "code", "one", "two", "outside"), INFO_TABLE)
def test_info_tables(member: str, code: Code, one: str, two: str, outside: str) -> None:
    """Every info block must have an allowed value; a single one that has not, or no block at all, is enough to fail."""
    stated = condition(member, one, two)
    table: list[tuple[list[str], str | None]] = [
        ([one], None),
        ([two], None),
        ([one, two], None),
        ([outside], code),
        ([one, outside], code),
        ([outside, one], code),
        ([], Code.NO_INFO),
    ]
    for values, expected in table:
        reason = unmet(stated, alert(*(info(**{member: value}) for value in values)))
        assert (reason.code if reason else None) == expected, values


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([["Met"]], None),
        ([["Met", "Safety"]], None),
        ([["Met"], ["Safety"]], None),
        ([["Fire"]], Code.CATEGORY_NOT_ALLOWED),
        ([["Met", "Fire"]], Code.CATEGORY_NOT_ALLOWED),
        ([["Met"], ["Met", "Fire"]], Code.CATEGORY_NOT_ALLOWED),
        ([], Code.NO_INFO),
    ],
)
def test_category_table(blocks: list[list[str]], expected: str | None) -> None:
    """Every category that any block names must be allowed: one that is not is enough to fail."""
    reason = unmet(condition("category", "Met", "Safety"), alert(*(info(category=list(each)) for each in blocks)))
    assert (reason.code if reason else None) == expected


@pytest.mark.parametrize("kind", ["Alert", "Update", "Cancel", "Ack", "Error"])
@pytest.mark.parametrize("allowed", [("Alert",), ("Alert", "Update"), ("Ack", "Error")])
def test_msg_type_table(kind: str, allowed: tuple[str, ...]) -> None:
    """An alert passes a condition on its kind exactly when the kind is named."""
    reason = unmet(condition("msg-type", *allowed), following(kind, info()))
    assert (reason is None) == (kind in allowed)
    assert reason is None or reason.code == Code.MSG_TYPE_NOT_ALLOWED


@pytest.mark.parametrize(
    ("codes", "passes"), [([], True), (["H0"], True), (["H1", "H0"], True), (["H2"], False), (["H0", "H2"], False)]
)
def test_handling_table(codes: list[str], passes: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Every handling code that the alert bears must be allowed; one without any restricts nothing."""
    handling = {"tlp": "GREEN", "purpose": "public-safety", "codes": codes}
    reason = unmet(condition("handling", "H0", "H1"), alert(info(), handling=handling))
    assert reason == (
        None if passes else Reason(Code.HANDLING_NOT_ALLOWED, (("found", ("H2",)), ("allowed", ("H0", "H1"))))
    )


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        (["fr"], None),
        (["fr-CA"], None),
        (["FR-ca"], None),
        (["en-CA"], None),
        (["fr-CA", "en-ca"], None),
        (["en"], Code.LANGUAGE_NOT_ALLOWED),
        (["en-US"], Code.LANGUAGE_NOT_ALLOWED),
        ([None], Code.LANGUAGE_NOT_ALLOWED),
        (["fro"], Code.LANGUAGE_NOT_ALLOWED),
        (["fr-CA", "es"], Code.LANGUAGE_NOT_ALLOWED),
        ([], Code.NO_INFO),
    ],
)
def test_language_table(languages: list[str | None], expected: str | None) -> None:
    """Every block's language must fall in a range by its subtags, whatever their case; one that says none is en-US."""
    reason = unmet(condition("language", "fr", "en-CA"), alert(*(info(language=each) for each in languages)))
    assert (reason.code if reason else None) == expected
    assert unmet(condition("language", "en"), alert(info(language=None))) is None


def test_reason_names_what_was_found() -> None:
    """The reason names the refused values once each, sorted, and the allowed ones as the clause lists them."""
    reason = unmet(
        condition("severity", "Severe", "Extreme"),
        alert(info(severity="Unknown"), info(severity="Minor"), info(severity="Unknown"), info()),
    )
    assert reason == Reason(
        Code.SEVERITY_NOT_ALLOWED, (("found", ("Minor", "Unknown")), ("allowed", ("Severe", "Extreme")))
    )


@pytest.mark.parametrize(
    "stated",
    [
        {"condition": "phase-of-the-moon", "in": ["Full"]},
        {"in": ["Severe"]},
        {"condition": "severity", "in": []},
        {"condition": "severity", "in": ["Severe", "Severe"]},
        {"condition": "severity", "in": ["Catastrophic"]},
        {"condition": "severity", "in": "Severe"},
        {"condition": "severity", "in": ["Severe"], "unless": "Tuesday"},
        {"condition": "severity", "allowed": ["Severe"]},
        {"condition": "severity"},
        {"condition": "tlp", "ceiling": "WHITE"},
        {"condition": "tlp", "in": ["GREEN"]},
        {"condition": "msg-type", "in": ["Recall"]},
        {"condition": "handling", "in": ["H4"]},
        {"condition": "handling", "in": []},
        {"condition": "language", "in": ["*"]},
        {"condition": "language", "in": ["fr_CA"]},
    ],
)
def test_what_is_not_understood_is_refused(stated: Json) -> None:
    """An unknown tag, value or member, an empty list, a repeated value: the whole agreement is invalid."""
    with pytest.raises(ValidationError):
        agreement(document(grant("1.1", stated)))


@pytest.mark.parametrize("missing", ["status", "tlp"])
def test_status_and_ceiling_are_required(missing: str) -> None:
    """A grant without a status condition or without a TLP ceiling makes the agreement invalid."""
    kept = [each for each in (condition("status", "Actual"), condition("tlp", "RED")) if each["condition"] != missing]
    with pytest.raises(ValidationError, match=missing):
        agreement(document(grant(conditions=[*kept])))


def test_a_condition_stands_once() -> None:
    """Two conditions of one tag in a clause would leave a reader guessing, and are refused."""
    with pytest.raises(ValidationError):
        agreement(document(grant("1.1", condition("severity", "Severe"), condition("severity", "Extreme"))))
