"""What a permit obliges to: the truth table of each obligation, and the strictest of several clauses."""

from __future__ import annotations

from itertools import permutations

import pytest

from agreements.decide import decide
from agreements.obligations import Obligation
from agreements.reasons import Code
from agreements.terms import strictest, terms_of
from schemas.alerts.catalogue import marked_paths
from schemas.decisions import NO_TERMS, Deny, Lane, Onward, Permit, Terms, Treatment, Withholding
from schemas.ids import AlertType, ParticipantId
from tests.unit.agreements.builders import (
    DOH,
    NOW,
    NYSP,
    Json,
    agreement,
    alert,
    condition,
    document,
    following,
    grant,
    info,
    ref,
    snapshot,
)

CASE = AlertType("public-health/case-notification/v1")
WARNING_TYPE = AlertType("emergency-management/public-warning/v1")
A, B = ref("1.1"), ref("1.2")
REDACT, PSEUDONYM, YEAR, REGION = Treatment.REDACT, Treatment.PSEUDONYM, Treatment.YEAR, Treatment.REGION


def read(*stated: Json) -> tuple[Obligation, ...]:
    """Read obligations as they are signed."""
    return agreement(document(grant(obligations=list(stated)))).grants[0].obligations


@pytest.mark.parametrize(
    ("stated", "terms"),
    [
        ([], NO_TERMS),
        ([{"obligation": "lane", "lane": "urgent"}], NO_TERMS),
        ([{"obligation": "copy-to", "participants": ["ca-qc.msp"]}], NO_TERMS),
        (
            [{"obligation": "redact", "paths": ["/note", "/info/*/contact"]}],
            Terms(
                withholdings=(
                    Withholding("/info/*/contact", REDACT, "", A),
                    Withholding("/note", REDACT, "", A),
                )
            ),
        ),
        (
            [{"obligation": "de-identify", "paths": ["/body/patient/name"]}],
            Terms(withholdings=(Withholding("/body/patient/name", PSEUDONYM, "", A),)),
        ),
        (
            [{"obligation": "precision", "year": ["/body/reported"], "region": ["/body/patient/residence"]}],
            Terms(
                withholdings=(
                    Withholding("/body/patient/residence", REGION, "", A),
                    Withholding("/body/reported", YEAR, "", A),
                )
            ),
        ),
        ([{"obligation": "deadline", "delivery": 60}], Terms(deliver_within=60)),
        ([{"obligation": "deadline", "acknowledgement": 90}], Terms(acknowledge_within=90)),
        ([{"obligation": "retention", "days": 30}], Terms(retain_days=30)),
        ([{"obligation": "onward", "rule": "forbidden"}], Terms(onward=Onward.FORBIDDEN)),
        ([{"obligation": "onward", "rule": "with-consent"}], NO_TERMS),
        (
            [{"obligation": "consent-by", "parties": ["US-NY"], "participants": ["ca-qc.msp"], "within": 60}],
            Terms(consent_by=("US-NY", "ca-qc.msp"), consent_within=60),
        ),
        ([{"obligation": "exercise-only"}], Terms(exercise=True)),
        (
            [{"obligation": "retention", "days": 30}, {"obligation": "deadline", "delivery": 60}],
            Terms(retain_days=30, deliver_within=60),
        ),
    ],
)
def test_each_obligation(stated: list[Json], terms: Terms) -> None:
    """Each obligation has its own effect on the terms, and no other."""
    assert terms_of(read(*stated), A, WARNING_TYPE) == terms


@pytest.mark.parametrize("tag", ["redact", "de-identify"])
@pytest.mark.parametrize("mark", ["identifying", "health"])
def test_a_class_is_resolved_for_the_type(tag: str, mark: str) -> None:
    """A class withholds exactly what the alert's type marks so, by its paths, and nothing of a type without such."""
    terms = terms_of(read({"obligation": tag, "classes": [mark]}), A, CASE)
    assert {each.pointer for each in terms.withholdings} == set(marked_paths(CASE, mark))
    assert {(each.mark, each.under) for each in terms.withholdings} == {(mark, A)}
    assert marked_paths(CASE, mark)


def places(*withheld: tuple[str, Treatment]) -> set[tuple[str, Treatment]]:
    """Return what is left to withhold of several clauses' withholdings, in whatever order they come."""
    each = [Terms(withholdings=(Withholding(pointer, treatment, "", A),)) for pointer, treatment in withheld]
    results = {strictest(order) for order in permutations(each)}
    assert len(results) == 1
    return {(one.pointer, one.treatment) for one in results.pop().withholdings}


@pytest.mark.parametrize(
    ("withheld", "left"),
    [
        ([("/a", REDACT), ("/a", PSEUDONYM)], {("/a", REDACT)}),
        ([("/a", REDACT), ("/a", YEAR), ("/a", REGION)], {("/a", REDACT)}),
        ([("/a", PSEUDONYM), ("/a", YEAR)], {("/a", PSEUDONYM)}),
        ([("/a", PSEUDONYM), ("/a", REGION)], {("/a", PSEUDONYM)}),
        ([("/a", YEAR), ("/a", REGION)], {("/a", PSEUDONYM)}),
        ([("/a", YEAR), ("/a", REGION), ("/a", PSEUDONYM)], {("/a", PSEUDONYM)}),
        ([("/a", REDACT), ("/a/b", REDACT), ("/a/b/c", YEAR)], {("/a", REDACT)}),
        ([("/a", REDACT), ("/ab", YEAR)], {("/a", REDACT), ("/ab", YEAR)}),
        ([("/a", PSEUDONYM), ("/a/b", YEAR)], {("/a", PSEUDONYM)}),
        ([("/a", PSEUDONYM), ("/a/b", REDACT)], {("/a", PSEUDONYM), ("/a/b", REDACT)}),
        ([("/a", REGION), ("/a/b", YEAR)], {("/a", REGION), ("/a/b", PSEUDONYM)}),
        ([("/a", REGION), ("/a/b/c", YEAR), ("/a/b", REDACT)], {("/a", REGION), ("/a/b", REDACT)}),
        ([("/a", REGION), ("/a/b", REGION)], {("/a", REGION)}),
        ([("/a/*", REDACT), ("/a/*/b", PSEUDONYM)], {("/a/*", REDACT)}),
    ],
)
def test_the_stricter_treatment_rules(withheld: list[tuple[str, Treatment]], left: set[tuple[str, Treatment]]) -> None:
    """Of each place the strictest treatment is left, and what a place above treats as strictly is not said again."""
    assert places(*withheld) == left


def test_the_lowest_clause_that_asks_is_named() -> None:
    """Where clauses withhold the same in the same way, the lowest reference stands, and a path before a class."""
    several = [
        Terms(withholdings=(Withholding("/a", REDACT, "health", A), Withholding("/b", YEAR, "", A))),
        Terms(withholdings=(Withholding("/a", REDACT, "", A), Withholding("/b", REDACT, "", B))),
        Terms(withholdings=(Withholding("/a", REDACT, "", B),)),
    ]
    expected = (Withholding("/a", REDACT, "", A), Withholding("/b", REDACT, "", B))
    assert {strictest(order).withholdings for order in permutations(several)} == {expected}


def test_the_least_and_the_strictest_of_everything() -> None:
    """Least seconds and days, forbidden over with consent, everyone's consent, an exercise where any says so."""
    one = Terms(deliver_within=60, retain_days=30, consent_by=("CA",), consent_within=90)
    other = Terms(
        deliver_within=30, acknowledge_within=5, onward=Onward.FORBIDDEN, consent_by=("CA", "US"), exercise=True
    )
    assert strictest([one, other]) == Terms(
        deliver_within=30,
        acknowledge_within=5,
        retain_days=30,
        onward=Onward.FORBIDDEN,
        consent_by=("CA", "US"),
        consent_within=90,
        exercise=True,
    )
    assert strictest([]) == NO_TERMS


RETAIN_30: Json = {"obligation": "retention", "days": 30}
RETAIN_60: Json = {"obligation": "retention", "days": 60}
URGENT: Json = {"obligation": "lane", "lane": "urgent"}


def permit(found: tuple[object, ...], name: ParticipantId) -> Permit:
    """Return the permit of a recipient."""
    (decision,) = [each for each in found if isinstance(each, Permit) and each.recipient == name]
    return decision


def test_terms_come_from_all_clauses_that_permit() -> None:
    """The ruling clause names lane and reason; the terms are the strictest of it and of every other that permits."""
    clauses = (
        grant("1.1", obligations=[RETAIN_30, {"obligation": "redact", "paths": ["/note"]}]),
        grant("1.2", condition("severity", "Severe"), obligations=[URGENT, RETAIN_60]),
        grant("1.3", condition("severity", "Minor"), obligations=[{"obligation": "retention", "days": 1}]),
        grant("1.4", to=["us-ny.doh"], obligations=[{"obligation": "onward", "rule": "forbidden"}]),
    )
    found = decide(alert(info()), snapshot(document(*clauses)), NOW, reached={})
    given = permit(found, NYSP)
    assert (given.under, given.lane, given.reason.code) == (ref("1.2"), Lane.URGENT, Code.GRANTED)
    assert given.terms == Terms(retain_days=30, withholdings=(Withholding("/note", REDACT, "", ref("1.1")),))
    assert permit(found, DOH).terms.onward is Onward.FORBIDDEN


def test_an_update_goes_as_strictly_as_its_thread() -> None:
    """The clause that carries a thread adds its terms, even where a laxer one lets the Update through by itself."""
    strict = grant("1.2", condition("severity", "Extreme"), obligations=[RETAIN_30])
    agreements = snapshot(document(grant("1.1", obligations=[RETAIN_60]), strict))
    update = following("Update", info())
    given = permit(decide(update, agreements, NOW, reached={NYSP: ref("1.2")}), NYSP)
    assert (given.under, given.reason.code, given.terms.retain_days) == (ref("1.1"), Code.GRANTED, 30)
    given = permit(decide(update, agreements, NOW, reached={}), NYSP)
    assert given.terms.retain_days == 60


@pytest.mark.parametrize("status", ["Actual", "Exercise", "System", "Test", "Draft"])
def test_exercises_alone(status: str) -> None:
    """Whatever the status condition allows, such a clause lets exercises through, and nothing else."""
    statuses = condition("status", "Actual", "Exercise", "System", "Test", "Draft")
    only: Json = {"obligation": "exercise-only"}
    clause = grant(conditions=[statuses, condition("tlp", "RED")], obligations=[only])
    (decision,) = decide(alert(info(), status=status), snapshot(document(clause), receivers=(NYSP,)), NOW, reached={})
    if status == "Exercise":
        assert isinstance(decision, Permit)
        assert decision.terms.exercise
    else:
        assert isinstance(decision, Deny)
        assert [reason.code for _, reason in decision.considered] == [Code.EXERCISE_ONLY]


def test_exercises_alone_binds_the_thread() -> None:
    """An Update that is no exercise does not follow the thread of one."""
    clause = grant(
        conditions=[condition("status", "Exercise", "Actual"), condition("tlp", "RED")],
        obligations=[{"obligation": "exercise-only"}],
    )
    agreements = snapshot(document(clause), receivers=(NYSP,))
    (decision,) = decide(following("Update", info()), agreements, NOW, reached={NYSP: ref()})
    assert decision.reason.code == Code.CONDITIONS_UNMET
    (decision,) = decide(following("Update", status="Exercise"), agreements, NOW, reached={NYSP: ref()})
    assert isinstance(decision, Permit)
