"""Consent before release: whoever would receive an alert only with one is denied it, and everybody else is not."""

from __future__ import annotations

from agreements.consent import before_consent
from agreements.explain import explain
from agreements.reasons import Code, granted
from schemas.decisions import ClauseRef, Deny, Lane, Permit, Reason, Terms
from schemas.ids import AgreementId, JurisdictionCode, ParticipantId

UNDER = ClauseRef(AgreementId("ca-qc.us-ny.test"), 1, "1.1")


def permit(name: str, terms: Terms) -> Permit:
    """Return a permit of one recipient in New York."""
    return Permit(ParticipantId(name), JurisdictionCode("US-NY"), UNDER, Lane.URGENT, granted(UNDER), terms)


FREE = permit("us-ny.nysp", Terms(retain_days=30))
ASKED = permit("us-ny.doh", Terms(consent_by=("CA", "ca.rcmp"), consent_within=600))
DENIED = Deny(ParticipantId("us-ny.dcjs"), JurisdictionCode("US-NY"), Reason(Code.NOT_ADDRESSED))


def test_without_consent_nothing_is_released() -> None:
    """The one for whom it is asked is denied, under the clause that asks, with those who were to consent."""
    free, asked, denied = before_consent((FREE, ASKED, DENIED))
    assert (free, denied) == (FREE, DENIED)
    assert isinstance(asked, Deny)
    assert (asked.recipient, asked.reason.code) == ("us-ny.doh", Code.CONSENT_NOT_GIVEN)
    assert asked.considered == ((UNDER, asked.reason),)
    words = explain(asked.reason)
    assert "CA et ca.rcmp" in words.fr
    assert "CA and ca.rcmp" in words.en
