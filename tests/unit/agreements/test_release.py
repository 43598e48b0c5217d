"""Before release: whose consent a copy awaits, and what may not be passed on at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agreements.decide import decide
from agreements.explain import explain
from agreements.reasons import Code, consent_lapsed, consent_refused
from agreements.release import ONWARD_WITHIN, Source, SourceHandling
from schemas.alerts.header import Alert, HandlingCode, Tlp
from schemas.decisions import ClauseRef, Decision, Deny, Onward, Permit
from schemas.ids import ParticipantId
from tests.unit.agreements.builders import (
    DOH,
    NOW,
    NYSP,
    SQ,
    VSP,
    Json,
    alert,
    document,
    following,
    grant,
    info,
    ref,
    snapshot,
)

BOTH = (NYSP, DOH)


def source(
    sender: ParticipantId = VSP, *codes: HandlingCode, tlp: Tlp = "GREEN", onward: Onward = Onward.WITH_CONSENT
) -> Source:
    """Return an alert that the sender received, to be handled so."""
    return Source(sender, "VT-1", SourceHandling(tlp, frozenset(codes), onward))


def decided(
    of: Alert,
    *obligations: Json,
    sources: Sequence[Source] = (),
    reached: dict[ParticipantId, ClauseRef] | None = None,
) -> dict[ParticipantId, Decision]:
    """Decide an alert under one clause that lets it go to New York, with these obligations."""
    agreements = snapshot(document(grant(obligations=list(obligations))), receivers=BOTH)
    found = decide(of, agreements, NOW, reached=reached or {}, sources=sources)
    return {each.recipient: each for each in found}


def asked(decision: Decision) -> tuple[tuple[str, ...], int | None]:
    """Return whose consent a permit awaits, and for how many seconds."""
    assert isinstance(decision, Permit)
    return decision.terms.consent_by, decision.terms.consent_within


def consent_by(*participants: ParticipantId, within: int = 600) -> Json:
    """Return the obligation that these consent, and New York's authority."""
    named = {"participants": list(participants)} if participants else {}
    return {"obligation": "consent-by", "parties": ["US-NY"], "within": within, **named}


def test_a_clause_that_asks_for_consent_permits_with_it() -> None:
    """Whoever the clause names is in the permit's terms, and nobody else is asked."""
    assert {who: asked(each) for who, each in decided(alert(info()), consent_by()).items()} == dict.fromkeys(
        BOTH, (("US-NY",), 600)
    )
    assert asked(decided(alert(info()))[NYSP]) == ((), None)


def test_nobody_is_asked_about_what_it_sends_or_receives() -> None:
    """The sender has consented by sending, and a recipient need not consent to its own copy."""
    found = decided(alert(info()), consent_by(SQ, NYSP))
    assert asked(found[NYSP])[0] == ("US-NY",)
    assert asked(found[DOH])[0] == ("US-NY", NYSP)
    alone: Json = {"obligation": "consent-by", "participants": [SQ, NYSP], "within": 60}
    assert asked(decided(alert(info()), alone)[NYSP]) == ((), None)


def test_what_passes_an_alert_on_awaits_its_originator() -> None:
    """The originator of every source is asked, within a day or sooner where the clause says so."""
    found = decided(alert(info()), sources=[source()])
    assert asked(found[NYSP]) == ((VSP,), ONWARD_WITHIN)
    sooner = decided(alert(info()), consent_by(within=60), sources=[source()])
    assert asked(sooner[NYSP]) == (("US-NY", VSP), 60)
    later = decided(alert(info()), consent_by(within=2 * ONWARD_WITHIN), sources=[source()])
    assert asked(later[NYSP]) == (("US-NY", VSP), ONWARD_WITHIN)


def test_an_originator_hears_of_its_own_alert_unasked() -> None:
    """What goes back to where it came from awaits nobody, whatever the handling; others await the originator."""
    found = decided(alert(info()), sources=[source(NYSP, "H2", tlp="RED", onward=Onward.FORBIDDEN)])
    assert asked(found[NYSP]) == ((), None)
    assert isinstance(found[DOH], Deny)


@pytest.mark.parametrize(
    ("passed_on", "code", "named"),
    [
        (Source(VSP, "VT-1", None), Code.SOURCE_UNKNOWN, "us-vt.vsp,VT-1"),
        (source(onward=Onward.FORBIDDEN), Code.ONWARD_FORBIDDEN, "us-vt.vsp,VT-1"),
        (source(tlp="AMBER"), Code.HANDLING_LOOSENED, "AMBER"),
        (source(VSP, "H1", "H2"), Code.HANDLING_LOOSENED, "H1"),
        (source(tlp="CLEAR"), None, ""),
        (source(tlp="GREEN"), None, ""),
    ],
)
def test_nothing_is_passed_on_against_its_handling(passed_on: Source, code: Code | None, named: str) -> None:
    """Unknown, forbidden, with a wider label or without a code: a denial that names the source or what is missing."""
    decision = decided(alert(info(), tlp="GREEN"), sources=[passed_on])[NYSP]
    if code is None:
        assert asked(decision)[0] == (VSP,)
        return
    assert isinstance(decision, Deny)
    assert decision.reason.code == code
    assert decision.considered == ((ref(), decision.reason),)
    assert named in explain(decision.reason).fr
    assert named in explain(decision.reason).en


def test_what_came_through_another_awaits_both() -> None:
    """Of a source within a source both originators are asked; whoever passed the inner one on has it, and is not."""
    inner = replace(source(DOH), through=(VSP,))
    assert asked(decided(alert(info()), sources=[source(), inner])[NYSP])[0] == (DOH, VSP)
    through_recipient = replace(source(VSP), through=(NYSP,))
    assert asked(decided(alert(info()), sources=[source(NYSP), through_recipient])[NYSP]) == ((), None)


def test_one_source_that_forbids_is_enough() -> None:
    """Of several sources each must let it pass."""
    other = Source(NYSP, "NY-7", SourceHandling("CLEAR", frozenset(), Onward.FORBIDDEN))
    assert isinstance(decided(alert(info()), sources=[source(), other])[DOH], Deny)


def test_no_clause_is_said_to_ask_for_what_a_source_does() -> None:
    """Whose consent was awaited is told, not who wanted it: it may be a clause or the alert's being passed on."""
    for reason in (consent_refused(ref(), VSP), consent_lapsed(ref(), [VSP], "2026-11-22T12:00:00.000Z")):
        said = explain(reason)
        assert VSP in said.fr
        assert VSP in said.en
        assert "exige" not in said.fr
        assert "require" not in said.en


def test_a_code_that_the_alert_bears_too_is_kept() -> None:
    """An alert as strict as its source passes, with consent."""
    bears = alert(info(), handling={"tlp": "GREEN", "codes": ["H1", "H2"], "purpose": "public-safety"})
    assert asked(decided(bears, sources=[source(VSP, "H2")])[NYSP]) == ((VSP,), ONWARD_WITHIN)


def test_a_cancel_needs_nobodys_consent() -> None:
    """Whoever was told must hear that it is over; but nothing new is passed on against its handling by it."""
    reached = {NYSP: ref()}
    found = decided(following("Cancel", info()), consent_by(), reached=reached)
    assert asked(found[NYSP]) == ((), None)
    forbidden = decided(
        following("Cancel", info()), consent_by(), reached=reached, sources=[source(onward=Onward.FORBIDDEN)]
    )
    assert isinstance(forbidden[NYSP], Deny)


def test_an_update_is_asked_about_anew() -> None:
    """What an Update adds is as new as the alert was."""
    found = decided(following("Update", info()), consent_by(), reached={NYSP: ref()})
    assert asked(found[NYSP]) == (("US-NY",), 600)
