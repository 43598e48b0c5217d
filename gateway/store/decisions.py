"""Decisions as the log keeps them: plain JSON, from which ``agreements.explain`` makes the words again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from agreements.explain import explain
from audit.entry import Draft
from audit.kinds import Kind
from gateway.store.terms import terms_content
from schemas.decisions import NO_TERMS, Decision, Deny, Permit, Reason, denials_among
from schemas.ids import AlertId, DeliveryId, JurisdictionCode, ParticipantId
from schemas.signing.canonical import CanonicalPart, canonical_part


@lru_cache(maxsize=4096)
def reason_content(reason: Reason) -> Mapping[str, Any]:
    """Return a reason as plain JSON: its code, and its arguments by name. The same few reasons recur in every alert."""
    return {
        "code": reason.code,
        "arguments": {name: list(value) if isinstance(value, tuple) else value for name, value in reason.arguments},
    }


def permit_content(permit: Permit) -> dict[str, Any]:
    """Return a permit as plain JSON: for whom, under which clause, in which lane, why and on which terms."""
    return {
        "recipient": permit.recipient,
        "clause": str(permit.under),
        "lane": permit.lane.value,
        "reason": reason_content(permit.reason),
        **({} if permit.terms == NO_TERMS else {"terms": terms_content(permit.terms)}),
    }


def routed_entry(
    permit: Permit, *, delivery_id: DeliveryId, alert_id: AlertId, sender: ParticipantId, home: JurisdictionCode
) -> Draft:
    """Return the entry of a copy that may go out; ``home`` is the sender's."""
    return Draft(
        kind=Kind.ROUTED,
        actor=sender,
        jurisdictions=(home, permit.jurisdiction),
        alert_id=alert_id,
        agreement=permit.under.agreement,
        content={"delivery_id": delivery_id, **permit_content(permit)},
    )


def denial_content(denial: Deny) -> dict[str, Any]:
    """Return a denial as plain JSON: for whom, why, and what was considered."""
    return {
        "recipient": denial.recipient,
        "reason": reason_content(denial.reason),
        "considered": [
            {"clause": str(clause), "reason": reason_content(reason)} for clause, reason in denial.considered
        ],
    }


@lru_cache(maxsize=256)
def withheld_content(decisions: tuple[Decision, ...]) -> CanonicalPart:
    """Return the denials among decisions, in their order. The same decisions recur in very many alerts."""
    return canonical_part([denial_content(denial) for denial in denials_among(decisions)])


def read_reason(content: Mapping[str, Any]) -> Reason:
    """Return the reason that ``reason_content`` wrote."""
    return Reason(
        code=content["code"],
        arguments=tuple(
            (name, tuple(value) if isinstance(value, list) else value) for name, value in content["arguments"].items()
        ),
    )


def in_words(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the sentence of a stored reason in French and in English."""
    sentence = explain(read_reason(content))
    return {"fr": sentence.fr, "en": sentence.en}
