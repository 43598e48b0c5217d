"""Whom consent is asked of before a copy is released: the questions, as the log, the answer and a row hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from audit.entry import Draft
from audit.kinds import Kind
from gateway.store.committer import Batch
from gateway.store.decisions import permit_content
from schemas.decisions import Permit
from schemas.ids import AlertId, ConsentId, DeliveryId, JurisdictionCode, ParticipantId, home_of, uuid7
from schemas.timestamps import utc_text_of_ms


@dataclass(frozen=True, slots=True)
class Question:
    """Whom a release is asked of, a participant or a jurisdiction, and by when, in ms since the Unix epoch."""

    consent_id: ConsentId
    asked: str
    deadline_ms: int

    @property
    def home(self) -> JurisdictionCode:
        """Whose word it is."""
        return home_of_asked(self.asked)


def home_of_asked(asked: str) -> JurisdictionCode:
    """Return the jurisdiction of a participant that is asked, or the one that is asked itself."""
    return home_of(ParticipantId(asked)) if "." in asked else JurisdictionCode(asked)


def questions_of(batch: Batch, permit: Permit, *, deadline_ms: int) -> tuple[Question, ...]:
    """Return what is to be asked before a permit's copy, due by ``deadline_ms``, may go out."""
    terms = permit.terms
    within = terms.consent_within
    until = deadline_ms if within is None else min(deadline_ms, batch.now_ms + within * 1000)
    return tuple(
        Question(ConsentId(uuid7(at=batch.now, randomness=batch.randomness(10))), asked, until)
        for asked in terms.consent_by
    )


def question_content(question: Question) -> dict[str, str]:
    """Return a question as an entry and an answer hold it."""
    return {
        "consent_id": question.consent_id,
        "asked": question.asked,
        "deadline": utc_text_of_ms(question.deadline_ms),
    }


def awaited(questions: Sequence[Question]) -> dict[str, Any]:
    """Return the member that says whose consent a copy awaits; none where nobody is asked."""
    return {"awaits": [question_content(each) for each in questions]} if questions else {}


def requested_entry(
    asked: Sequence[Question],
    permit: Permit,
    *,
    delivery_id: DeliveryId,
    alert_id: AlertId,
    sender: ParticipantId,
    home: JurisdictionCode,
) -> Draft:
    """Return the entry of a copy that awaits consent; its recipient's jurisdiction is no party to it yet.

    ``home`` is the sender's.
    """
    return Draft(
        kind=Kind.CONSENT_REQUESTED,
        actor=sender,
        jurisdictions=(home, *(each.home for each in asked)),
        alert_id=alert_id,
        agreement=permit.under.agreement,
        content={
            "delivery_id": delivery_id,
            **permit_content(permit),
            "requests": [question_content(each) for each in asked],
        },
    )


def question_rows(
    asked: Sequence[Question], *, delivery_id: DeliveryId, alert_id: AlertId, log_index: int
) -> Iterable[dict[str, Any]]:
    """Yield the rows of ``consent_requests`` for what is asked about one delivery."""
    for each in asked:
        yield {
            "consent_id": each.consent_id,
            "delivery_id": delivery_id,
            "alert_id": alert_id,
            "asked": each.asked,
            "deadline_ms": each.deadline_ms,
            "log_index": log_index,
        }
