"""Where a clause asks for somebody's consent before an alert is released: without it, nothing is.

Consents can't be asked for and given through this exchange yet, so none has ever been given, and whoever would receive
an alert only with one is denied it.
"""

from __future__ import annotations

from collections.abc import Iterable

from agreements import reasons
from schemas.decisions import Decision, Deny, Permit


def before_consent(decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """Return decisions as they stand while nobody has consented."""
    return tuple([_denied(each) if isinstance(each, Permit) and each.terms.consent_by else each for each in decisions])


def _denied(permit: Permit) -> Deny:
    reason = reasons.consent_not_given(permit.under, permit.terms.consent_by)
    return Deny(permit.recipient, permit.jurisdiction, reason, ((permit.under, reason),))
