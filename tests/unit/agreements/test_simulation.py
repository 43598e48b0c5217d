"""A draft beside what is in force: every copy is counted once, by what becomes of it, and nothing else is told."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from agreements.book import Book
from agreements.decide import decide
from agreements.simulation import Effect, Findings, PastAlert, Side, Worlds, simulate
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef, Permit, Treatment
from schemas.ids import AlertId, ParticipantId
from schemas.signing.strict_json import parse_json
from tests.unit.agreements.builders import (
    DOH,
    NOW,
    NYSP,
    QC,
    VSP,
    Json,
    agreement,
    alert,
    candidates,
    condition,
    document,
    following,
    grant,
    info,
    ref,
    step,
    verified,
)
from tests.unit.agreements.strategies import alerts

VERMONT = document(grant(to=["US-VT"]), id="ca-qc.us-vt.test", parties=["CA-QC", "US-VT"])
LATER = {"from": "2026-12-01T00:00:00Z", "until": "2027-12-01T00:00:00Z"}


def past(which: Alert, *, name: str = "1", reached: Mapping[ParticipantId, ClauseRef] | None = None) -> PastAlert:
    """Return an alert as it came in the past."""
    plain = parse_json(which.model_dump_json(exclude_none=True, by_alias=True).encode())
    return PastAlert(AlertId(name), plain, which, NOW, reached or {})


def worlds(*before: Json, draft: Json) -> Worlds:
    """Return the agreements in force, and the draft in their midst."""
    return Worlds.of(candidates(NYSP, DOH, VSP), Book.of(verified(each) for each in before), agreement(draft))


def test_what_was_stated_of_an_agreement_counts() -> None:
    """While another agreement is suspended nothing passes under it, on either side; the draft's own is in force."""
    standing, other = verified(document(grant())), verified(VERMONT)
    book = Book.of([standing, other]).with_step(step("suspension", QC, -1, of=other))
    both = Worlds.of(candidates(NYSP, DOH, VSP), book, agreement(document(grant(), version=2, valid=LATER)))
    found = simulate([past(alert(info()))], both, samples=5)
    assert effects(found) == {(DOH, Effect.SAME): 1, (NYSP, Effect.SAME): 1}
    suspended = Book.of([standing]).with_step(step("suspension", QC, -1, of=standing))
    both = Worlds.of(candidates(NYSP), suspended, agreement(document(grant(), version=2, valid=LATER)))
    assert effects(simulate([past(alert(info()))], both, samples=5)) == {(NYSP, Effect.GAINED): 1}


def effects(found: Findings) -> dict[tuple[str, Effect], int]:
    """Return how many copies of public warnings there are by recipient and effect."""
    return {(who, effect): count for (who, _, effect), count in found.copies.items()}


def test_a_draft_counts_as_if_it_had_been_in_force() -> None:
    """A version that begins later is simulated in place of the one that governs, and an agreement of its own beside."""
    narrower = document(grant("1.1", condition("severity", "Extreme")), version=2, valid=LATER)
    found = simulate([past(alert(info()))], worlds(document(grant()), draft=narrower), samples=5)
    assert effects(found) == {(DOH, Effect.LOST): 1, (NYSP, Effect.LOST): 1}
    other = document(grant(to=["US-VT"]), id="ca-qc.us-vt.test", parties=["CA-QC", "US-VT"], valid=LATER)
    found = simulate([past(alert(info()))], worlds(document(grant()), draft=other), samples=5)
    assert effects(found) == {(DOH, Effect.SAME): 1, (NYSP, Effect.SAME): 1, (VSP, Effect.GAINED): 1}
    assert (found.alerts, found.changed, found.types.total(), found.changed_types.total()) == (1, 1, 1, 1)


def test_the_clause_alone_is_no_change() -> None:
    """A version that says the same by other clauses changes nothing about any copy; the clauses are counted."""
    renumbered = document(grant("7.1"), version=2)
    found = simulate([past(alert(info()))], worlds(document(grant()), draft=renumbered), samples=5)
    assert (found.changed, found.samples) == (0, [])
    assert found.clauses == {(ref(), Side.BEFORE): 2, (ref("7.1", version=2), Side.AFTER): 2}


def test_other_terms_are_a_change_and_what_is_withheld_is_counted() -> None:
    """A field counts in every copy of an alert that has something there, and in no copy of one that has not."""
    obligations = [{"obligation": "redact", "paths": ["/info/*/headline"]}]
    draft = document(grant(obligations=obligations), version=2)
    alerts_past = [past(alert(info(headline="Crue")), name="1"), past(alert(info()), name="2")]
    found = simulate(alerts_past, worlds(document(grant()), draft=draft), samples=1)
    assert effects(found) == {(DOH, Effect.CHANGED): 2, (NYSP, Effect.CHANGED): 2}
    assert found.fields == {("/info/*/headline", Treatment.REDACT, Side.AFTER): 2}
    (sample,) = found.samples
    assert (sample.alert_id, sample.changed, sample.gained) == ("1", (DOH, NYSP), ())


def test_a_thread_goes_on_under_the_draft() -> None:
    """Whom the replaced version reached hears of an update, where the draft's clause of the same number covers it."""
    picky = grant("1.1", condition("severity", "Extreme"))
    update = past(following("Update", info()), reached={NYSP: ref()})
    same = simulate([update], worlds(document(picky), draft=document(picky, version=2)), samples=5)
    assert effects(same) == {(NYSP, Effect.SAME): 1}
    renumbered = document({**picky, "clause": "9"}, version=2)
    other = simulate([update], worlds(document(picky), draft=renumbered), samples=5)
    assert effects(other) == {(NYSP, Effect.LOST): 1}


def test_only_those_who_may_be_told_of_are_counted() -> None:
    """Of an alert that is seen in part, the copies of the recipients that are told of count, and no other."""
    whole = past(alert(info()))
    part = PastAlert(whole.alert_id, whole.document, whole.alert, whole.at, {}, frozenset({NYSP}))
    found = simulate([part], worlds(document(grant()), draft=document(grant(to=["US-NY"]), version=2)), samples=5)
    assert effects(found) == {(NYSP, Effect.SAME): 1}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(which=alerts())
def test_either_side_is_what_would_be_decided(which: Alert) -> None:
    """The copies counted on either side are the permits of the decision; and parts add up to the whole."""
    both = worlds(document(grant("1"), grant("2", lane="urgent")), draft=document(grant("2"), version=2))
    one = past(which)
    found = simulate([one, one], pickle.loads(pickle.dumps(both)), samples=5)  # noqa: S301 - made here
    for side, snapshot in ((Side.BEFORE, both.before), (Side.AFTER, both.after)):
        permits = [each for each in decide(which, snapshot, NOW, reached={}) if isinstance(each, Permit)]
        assert sum(count for (_, of), count in found.clauses.items() if of is side) == 2 * len(permits)
    parts = Findings()
    for _ in range(2):
        parts.add(simulate([one], both, samples=5), samples=5)
    assert parts == found


def test_what_was_withheld_from_whoever_asks_is_not_told_by_asking() -> None:
    """Of an alert that it has not had all of, a party learns what a draft makes of the header, and nothing more."""
    severe = condition("severity", "Severe")
    withheld = {"obligation": "redact", "paths": ["/info/*/severity"]}
    came = replace(past(alert(info(severity="Severe"))), known=False)
    for clause in (grant("1.1", severe), grant("1.1", condition("severity", "Minor"))):
        both = worlds(document(grant(obligations=[withheld])), draft=document(clause, version=2))
        found = simulate([came], both, samples=5)
        assert (found.alerts, found.unknown, found.changed, found.clauses, found.samples) == (0, 1, 0, {}, [])
    both = worlds(document(grant()), draft=document(grant(obligations=[withheld]), version=2))
    found = simulate([came], both, samples=5)
    assert (found.alerts, found.unknown, found.changed, found.fields) == (1, 0, 1, {})
