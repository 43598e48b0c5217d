"""Warnings: who changes or takes back an alert learns whether those who were told will hear of it."""

from __future__ import annotations

import pytest

from agreements.reasons import not_reached
from gateway.intake.warned import REACHES_NONE, REACHES_PART, UNKNOWN_REFERENCE, warnings_of
from gateway.store.threads import Thread
from lacolle.commands.told import WARNINGS
from schemas.decisions import ClauseRef, Decision, Deny, Lane, Permit
from schemas.ids import AlertId, ParticipantId, home_of
from tests.unit.agreements.builders import DOH, NYSP, VSP, alert, following, info, ref
from tests.unit.gateway.ground import permit

FIRST = AlertId("01890a5d-ac96-774b-bcce-b302099a8057")


def thread(*reached: ParticipantId) -> Thread:
    """Return a thread whose earlier alerts reached these."""
    return Thread(first=FIRST, reached={each: ref() for each in reached})


def deny(recipient: ParticipantId) -> Deny:
    """Return the decision that a recipient does not receive."""
    return Deny(recipient, home_of(recipient), not_reached())


CASES: dict[str, tuple[Thread, tuple[Decision, ...], tuple[str, ...]]] = {
    "all receive it": (thread(NYSP, DOH), (permit(NYSP), permit(DOH)), ()),
    "others too": (thread(NYSP), (permit(NYSP), permit(DOH)), ()),
    "some do not": (thread(NYSP, DOH), (permit(NYSP), deny(DOH)), (REACHES_PART,)),
    "none does": (thread(NYSP, DOH), (deny(NYSP), deny(DOH)), (REACHES_NONE,)),
    "others alone": (thread(NYSP), (deny(NYSP), permit(VSP)), (REACHES_NONE,)),
    "one is no candidate any more": (thread(NYSP, DOH), (permit(NYSP),), (REACHES_PART,)),
    "the thread reached nobody": (thread(), (deny(NYSP), permit(DOH)), ()),
}


@pytest.mark.parametrize("kind", ["Update", "Cancel"])
@pytest.mark.parametrize("case", CASES)
def test_who_was_told(kind: str, case: str) -> None:
    """What counts is who of those that were told receives it, not how many receive it in all."""
    known, decisions, expected = CASES[case]
    assert warnings_of(following(kind, info()), known, decisions) == expected


def test_the_first_of_a_thread() -> None:
    """An alert that is about no other has nothing to warn of, and one about an unknown other has that."""
    assert warnings_of(alert(info()), None, (deny(NYSP),)) == ()
    assert warnings_of(following("Update", info()), None, (permit(NYSP),)) == (UNKNOWN_REFERENCE,)


def test_the_clause_may_be_another() -> None:
    """Who receives it under another clause than before receives it."""
    other = Permit(NYSP, home_of(NYSP), ClauseRef(ref().agreement, 2, "9.9"), Lane.URGENT, not_reached())
    assert warnings_of(following("Cancel"), thread(NYSP), (other,)) == ()


def test_each_has_its_sentence() -> None:
    """The command tells every warning in both languages, and none by its code."""
    assert WARNINGS.keys() == {UNKNOWN_REFERENCE, REACHES_NONE, REACHES_PART}
