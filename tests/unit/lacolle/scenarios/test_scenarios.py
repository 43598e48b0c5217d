"""Every scenario that ships: sound in itself, decided as it says, and on its page."""

from __future__ import annotations

import pytest

from agreements.lint import Severity, lint
from lacolle.samples import SAMPLES, everyone
from lacolle.scenarios.document import (
    RELATIONS,
    SCENARIOS,
    InvalidScenarioError,
    Scenario,
    agreement_files,
    read_scenario,
    read_scenarios,
)
from lacolle.scenarios.outcomes import differences
from lacolle.scenarios.page import PAGE, page
from schemas.ids import JurisdictionCode
from schemas.statements import ParticipantStatement
from tests.unit.lacolle.scenarios.rehearsal import NOW, Rehearsal

ALL = read_scenarios()
WORLDS = [everyone(SAMPLES), everyone(RELATIONS)]


def name_of(scenario: Scenario) -> str:
    """Return what a test of a scenario is called."""
    return scenario.name


def test_every_relation_of_the_domain_has_its_scenario() -> None:
    """There are twenty-one relations, each with a scenario of its own whose name is its file's."""
    assert len({scenario.relation.en for scenario in ALL}) == 21
    assert sorted(scenario.name for scenario in ALL) == sorted(path.stem for path in SCENARIOS.glob("*.yaml"))
    assert [scenario.position for scenario in ALL] == list(range(1, 22))


def test_every_agreement_is_shown() -> None:
    """No agreement of the relations stands in the folder without a scenario that uses it."""
    used = {name for scenario in ALL for name in scenario.agreements}
    assert {path.stem for path in everyone(RELATIONS).agreements} <= used


@pytest.mark.parametrize("scenario", ALL, ids=name_of)
def test_both_alerts_come_to_what_the_scenario_says(scenario: Scenario) -> None:
    """Decisions, reasons and copies of both alerts are for each participant what the scenario says."""
    rehearsal = Rehearsal(scenario)
    for alert in (scenario.passes, scenario.stops):
        document, outcomes = rehearsal.outcomes(alert)
        told = [f"{participant}: {words.en}" for participant, words in differences(alert, document, outcomes)]
        assert told == []


@pytest.mark.parametrize("name", sorted(path.stem for path in everyone(RELATIONS).agreements))
def test_lint_finds_nothing(name: str) -> None:
    """Every agreement of the relations is without error and without warning among the sample participants."""
    codes = [JurisdictionCode(str(entry["code"])) for world in WORLDS for entry in world.jurisdictions]
    window = {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    statements = [
        ParticipantStatement.model_validate(
            {
                "statement": "participant",
                **{member: value for member, value in entry.items() if member != "format"},
                "keys": [],
                "hosts": [],
                **window,
            }
        )
        for world in WORLDS
        for entry in world.participants
    ]
    text = agreement_files()[name].read_text(encoding="utf-8")
    found = lint(text, file=name, now=NOW, jurisdictions=codes, participants=statements)
    assert [f"{each.line}: {each.path}: {each.reason.en}" for each in found if each.severity in Severity] == []


def test_nobody_stands_twice() -> None:
    """A jurisdiction and a participant stand in one of the two worlds' files alone."""
    codes = [entry["code"] for world in WORLDS for entry in world.jurisdictions]
    participants = [entry["participant"] for world in WORLDS for entry in world.participants]
    assert len(codes) == len(set(codes))
    assert len(participants) == len(set(participants))


def test_the_page_is_in_step() -> None:
    """docs/scenarios.md is what the scenarios make of it."""
    assert PAGE.read_text(encoding="utf-8") == page(ALL)


@pytest.mark.parametrize(
    ("old", "new", "line", "path"),
    [
        ("position: 9", "place: 9", 1, "position"),
        ("us.fbi: {gets: held}", "us.fbi: {gets: later}", None, "stops.expect.us.fbi.gets"),
        ("us.fbi: {gets: held}", "us.fbi: {gets: denied}", None, "stops.expect.us.fbi"),
        ("[federal-layer.national-security]", "[federal-layer]", None, "agreements[0]"),
        ("us.fbi, us-ny.nysp]", "us.nobody, us-ny.nysp]", None, "participants[3]"),
        ("sample: terrorism-threat", "sample: terrorism", None, "passes.sample"),
        ("us-ny.nysp: {gets: whole}", "us-ny.doh: {gets: whole}", None, "passes.expect.us-ny.doh"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(old: str, new: str, line: int | None, path: str) -> None:
    """A scenario that says what there is not is refused, in either language, with file, line and path."""
    text = (SCENARIOS / "federal-layer.yaml").read_text(encoding="utf-8").replace(old, new, 1)
    expected = line or 1 + text[: text.index(new)].count("\n")
    with pytest.raises(InvalidScenarioError) as refused:
        read_scenario(text, file="odd.yaml")
    assert f"odd.yaml:{expected}: {path}: " in refused.value.in_language("fr")
    assert f"odd.yaml:{expected}: {path}: " in refused.value.in_language("en")


def test_an_alert_that_passes_reaches_somebody() -> None:
    """A scenario whose first alert reaches nobody, or whose second reaches somebody, is refused."""
    text = (SCENARIOS / "federal-layer.yaml").read_text(encoding="utf-8")
    with pytest.raises(InvalidScenarioError):
        read_scenario(text.replace("us.fbi: {gets: held}", "us.fbi: {gets: whole}"), file="odd.yaml")
    with pytest.raises(InvalidScenarioError):
        read_scenario(text.replace("{gets: whole}", "{gets: held}"), file="odd.yaml")


def test_a_copy_that_shows_what_it_should_not_is_told() -> None:
    """Where a partial copy was promised without a place and an outcome shows it, the difference is told."""
    (scenario,) = (each for each in ALL if each.name == "asymmetric")
    document, outcomes = Rehearsal(scenario).outcomes(scenario.passes)
    widened = scenario.passes.model_copy(
        update={
            "expect": {
                name: expected.model_copy(update={"without": ("/body/activity",)})
                for name, expected in scenario.passes.expect.items()
            }
        }
    )
    assert [participant for participant, _ in differences(widened, document, outcomes)] == ["us-nh.nhsp"]
    assert [participant for participant, _ in differences(widened, document, {})] == ["us-nh.nhsp"]
