"""What a new version changes, in sentences: sure where it says that nothing more passes."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agreements.decide import decide
from agreements.diff import Difference, Effect, diff
from agreements.snapshot import Snapshot
from agreements.terms import at_least
from schemas.alerts.header import Alert
from schemas.decisions import Permit
from schemas.ids import ParticipantId
from tests.unit.agreements.builders import EVERYONE, NOW, Json, agreement, condition, document, grant
from tests.unit.agreements.strategies import DUTIES, alerts, conditions, documents, made, shuffled, some

OUTBREAK, CASE = "public-health/outbreak/v1", "public-health/case-notification/v1"


def said(old: Json, new: Json) -> list[tuple[str, str]]:
    """Return the effect and the English of each difference, none of which lacks its French."""
    found = diff(agreement(old), agreement(new))
    assert all(each.sentence.fr != each.sentence.en and each.sentence.fr.endswith(".") for each in found)
    return [(each.effect.value, each.sentence.en) for each in found]


def both_ways(old: Json, new: Json, more: str, less: str) -> None:
    """Check that a change says one thing, and its reverse another."""
    assert said(old, new) == [("more", more)]
    assert said(new, old) == [("less", less)]


def test_a_new_clause() -> None:
    """A clause about what no clause was about is told with its senders, recipients and types."""
    more = "Clause 1.2 lets through what no clause of the old version did: "
    less = "Clause 1.2 of the old version let through what no clause of the new one does: "
    old, new = document(grant()), document(grant(), grant("1.2", types=[OUTBREAK]))
    (found,) = said(old, new)
    way = found[1].removeprefix(more)
    assert way.startswith("from `CA-QC` to `US-NY`, for ")
    both_ways(old, new, more + way, less + way)


def test_a_wider_condition_is_told_with_what_it_was() -> None:
    """Where a clause asks for less, both conditions stand beside each other, in either direction."""
    old = document(grant("1.1", condition("severity", "Extreme")))
    new = document(grant("1.1", condition("severity", "Extreme", "Severe")))
    way = "from `CA-QC` to `US-NY`, for Public warning (`emergency-management/public-warning/v1`)."
    before, now = "In every info block, severity is extreme.", "In every info block, severity is extreme or severe."
    both_ways(
        old,
        new,
        f"Clause 1.1 lets more through, {way} Before: {before} Now: {now}",
        f"Clause 1.1 of the old version let more through, {way} Before: {now} Now: {before}",
    )
    (found,) = said(old, document(grant("1.1")))
    assert found[1].endswith(f"Before: {before} Now: no such condition.")


def test_a_ceiling_and_an_exercise() -> None:
    """A higher ceiling lets more through, and so does a clause that is no longer for exercises alone."""
    statuses = condition("status", "Actual", "Exercise")
    old = document(
        grant(conditions=[statuses, condition("tlp", "GREEN")], obligations=[{"obligation": "exercise-only"}])
    )
    new = document(grant(conditions=[statuses, condition("tlp", "AMBER")]))
    more, looser = said(old, new)
    assert (more[0], looser[0]) == ("more", "looser")
    assert "Before: The alert's TLP label is at most TLP:GREEN." in more[1]
    assert "Before: This clause is for exercises alone" in more[1]
    assert looser[1].endswith("nothing else passes, and the copy is marked as one.")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            [grant("1.1", to=["us-ny.nysp", "us-ny.doh"])],
            [grant("1.1", to=["us-ny.nysp"]), grant("7", to=["us-ny.doh"])],
        ),
        ([grant("1.1"), grant("1.2", to=["us-ny.nysp"])], [grant("9.9")]),
        (
            [grant("1", conditions=[condition("status", "Actual", "Test"), condition("tlp", "RED")])],
            [
                grant("2", conditions=[condition("status", "Actual"), condition("tlp", "RED")]),
                grant("3", conditions=[condition("status", "Test"), condition("tlp", "RED")]),
            ],
        ),
        ([grant("1", types=[OUTBREAK, CASE])], [grant("1", types=[CASE]), grant("2", types=[OUTBREAK])]),
        ([grant("1", lane="routine")], [grant("1")]),
    ],
)
def test_what_means_the_same_does_not_differ(old: list[Json], new: list[Json]) -> None:
    """Clauses that are split, merged or renumbered and come to the same have nothing to tell, either way."""
    assert said(document(*old), document(*new, version=2)) == []
    assert said(document(*new), document(*old, version=2)) == []


def test_obligations_that_no_longer_bind() -> None:
    """What binds by less is looser, what binds by more stricter; a class is compared by the fields that it means."""
    bound = [{"obligation": "redact", "classes": ["identifying"]}, {"obligation": "retention", "days": 30}]
    whole = ["/body", "/note", "/info/*/headline", "/info/*/description", "/info/*/instruction", "/info/*/web"]
    lax = [{"obligation": "redact", "paths": whole}, {"obligation": "retention", "days": 60}]
    old, new = document(grant(types=[CASE], obligations=bound)), document(grant(types=[CASE], obligations=lax))
    assert [(effect, text.partition(": ")[2]) for effect, text in said(old, new)] == [
        ("looser", "The recipient keeps the alert for at most 30 days from its acceptance."),
        (
            "stricter",
            f"Left out of the recipient's copy: {', '.join(f'`{each}`' for each in whole[:-1])} and `/info/*/web`.",
        ),
    ]


def test_who_is_told() -> None:
    """A participant that a clause newly has told is told of, and one that it no longer has."""
    told = document(grant(to=["us-ny.nysp"], obligations=[{"obligation": "copy-to", "participants": ["us-ny.doh"]}]))
    way = "from `CA-QC` to `us-ny.doh`, for Public warning (`emergency-management/public-warning/v1`)."
    both_ways(
        document(grant(to=["us-ny.nysp"])),
        told,
        f"Clause 1.1 now has told: {way}",
        f"Clause 1.1 of the old version had told, and no more: {way}",
    )


def test_everything_else() -> None:
    """Validity, parties, texts, contacts, regions and lanes are told, each in its sentence."""
    old = document(grant(lane="urgent"))
    region = {"name": "x", "fr": "X", "en": "X", "codes": [{"scheme": "SGC", "in": ["24"]}]}
    new = document(
        grant(),
        parties=["CA-QC", "US-NY", "US-VT"],
        valid={"from": "2026-02-01T00:00:00Z", "until": "2028-01-01T00:00:00Z"},
        purpose={"fr": "Autre.", "en": "Other."},
        contacts=[{"party": "CA-QC", "office": {"fr": "B", "en": "O"}}],
        regions=[region],
    )
    assert said(old, new) == [
        ("more", "Validity ends on January 1, 2028 at 00:00:00 (UTC), formerly on January 1, 2027 at 00:00:00 (UTC)."),
        (
            "less",
            "Validity begins on February 1, 2026 at 00:00:00 (UTC), formerly on January 1, 2026 at 00:00:00 (UTC).",
        ),
        ("other", "`US-VT` becomes a party."),
        ("other", "The purpose changes."),
        ("other", "The contacts change."),
        ("other", "Region `x` is new, gone, or defined otherwise."),
        ("other", "Clause 1.1 now goes by the routine lane."),
    ]


@st.composite
def changes(draw: st.DrawFn) -> tuple[Json, Json]:
    """Choose a version of an agreement that is in force, and another that was made from it."""
    old = {**draw(documents()), "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}}
    clauses = [changed for each in cast("list[Json]", old["grants"]) for changed in draw(changed_clause(each))]
    new = {**old, "grants": clauses or old["grants"]}
    return old, shuffled(new, draw(st.randoms(use_true_random=False)))


@st.composite
def changed_clause(draw: st.DrawFn, clause: Json) -> list[Json]:
    """Choose what becomes of a clause: dropped, kept, bound anew, its conditions changed, its recipients shared out."""
    how = draw(st.sampled_from(("drop", "keep", "bind", "free", "conditions", "narrow", "split")))
    duties = cast("list[Json]", clause.get("obligations", []))
    recipients = cast("list[str]", clause["to"])
    changed: list[Json] = [clause]
    match how:
        case "drop":
            changed = []
        case "bind":
            tags = {each["obligation"] for each in duties}
            more = draw(st.sampled_from([each for each in DUTIES if each["obligation"] not in tags]))
            changed = [{**clause, "obligations": [*duties, more]}]
        case "free" if len(duties) > 1:
            changed = [{**clause, "obligations": duties[1:]}]
        case "conditions":
            changed = [{**clause, "conditions": draw(conditions())}]
        case "narrow":
            changed = [{**clause, "to": draw(some(tuple(recipients)))}]
        case "split" if len(recipients) > 1:
            rest = {**clause, "clause": f"{clause['clause']}.9", "to": recipients[1:]}
            changed = [{**clause, "to": recipients[:1]}, rest]
        case _:
            pass
    return changed


def effects(found: tuple[Difference, ...]) -> set[Effect]:
    """Return what differences come to."""
    return {each.effect for each in found}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes(), st.lists(alerts(), min_size=1, max_size=6))
def test_what_is_not_told_does_not_happen(versions: tuple[Json, Json], of: list[Alert]) -> None:
    """Where nothing more is said to pass, no alert reaches anybody new; where nothing is looser, none is bound by less.

    The same holds of the way back: what passes less, and what is stricter.
    """
    old, new = versions
    told = effects(diff(agreement(old), agreement(new)))
    then, now = (made(([*EVERYONE], [version])) for version in versions)
    for alert in of:
        before, after = permits(alert, then), permits(alert, now)
        if Effect.MORE not in told:
            assert after.keys() <= before.keys()
        if Effect.LESS not in told:
            assert before.keys() <= after.keys()
        for name in before.keys() & after.keys():
            if not told & {Effect.MORE, Effect.LOOSER}:
                assert at_least(after[name].terms, before[name].terms)
            if not told & {Effect.LESS, Effect.STRICTER}:
                assert at_least(before[name].terms, after[name].terms)


def permits(of: Alert, version: Snapshot) -> dict[ParticipantId, Permit]:
    """Return who receives an alert under one version alone."""
    decisions = decide(of, version, NOW, reached={})
    return {each.recipient: each for each in decisions if isinstance(each, Permit)}
