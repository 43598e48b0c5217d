"""The permanent codes of a reason, and the one place that gives each its arguments.

A code is written into the exchange's log and read years later: never rename one, never reuse one. Arguments are
identifiers, enumeration values and instants of the agreement or the exchange, never an alert's free text. The
sentences stand in ``agreements.explain``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from schemas.decisions import ClauseRef, Reason
from schemas.ids import AgreementId, AlertId, AlertType, JurisdictionCode, ParticipantId
from schemas.timestamps import utc_text


class Code(StrEnum):
    """Why an alert reaches a recipient, why it does not, and what was wrong with each clause considered."""

    GRANTED = "granted"
    FOLLOWS_THREAD = "follows-thread"
    COPIED = "copied"

    NO_AGREEMENT = "no-agreement"
    NO_GRANT = "no-grant"
    NO_GRANT_AT_HOME = "no-grant-at-home"
    NOT_ADDRESSED = "not-addressed"
    NOT_REACHED = "not-reached"
    CONDITIONS_UNMET = "conditions-unmet"
    NOTHING_TO_COPY = "nothing-to-copy"
    CONSENT_NOT_GIVEN = "consent-not-given"
    CONSENTED = "consented"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_LAPSED = "consent-lapsed"
    OVERTAKEN = "overtaken"
    ERASURE_ORDERED = "erasure-ordered"
    SOURCE_UNKNOWN = "source-unknown"
    ONWARD_FORBIDDEN = "onward-forbidden"
    HANDLING_LOOSENED = "handling-loosened"

    NOT_YET_IN_FORCE = "not-yet-in-force"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    ENDED = "ended"
    REPLACED = "replaced"
    NOT_ACCEDED = "not-acceded"
    ALTERED = "altered"

    STATUS_NOT_ALLOWED = "status-not-allowed"
    TLP_ABOVE_CEILING = "tlp-above-ceiling"
    NO_INFO = "no-info"
    SEVERITY_NOT_ALLOWED = "severity-not-allowed"
    URGENCY_NOT_ALLOWED = "urgency-not-allowed"
    CERTAINTY_NOT_ALLOWED = "certainty-not-allowed"
    CATEGORY_NOT_ALLOWED = "category-not-allowed"
    MSG_TYPE_NOT_ALLOWED = "msg-type-not-allowed"
    HANDLING_NOT_ALLOWED = "handling-not-allowed"
    LANGUAGE_NOT_ALLOWED = "language-not-allowed"
    AREA_NOT_WITHIN = "area-not-within"
    EXERCISE_ONLY = "exercise-only"


def granted(under: ClauseRef) -> Reason:
    """Say that a clause lets the alert through."""
    return Reason(Code.GRANTED, (("clause", str(under)),))


def follows_thread(under: ClauseRef) -> Reason:
    """Say that the recipient had an earlier alert of the thread under a clause, and so has this one."""
    return Reason(Code.FOLLOWS_THREAD, (("clause", str(under)),))


def copied(under: ClauseRef) -> Reason:
    """Say that a clause lets the alert through to another, and that this recipient must be told of what it does."""
    return Reason(Code.COPIED, (("clause", str(under)),))


def consented(under: ClauseRef, by: Iterable[str]) -> Reason:
    """Say that a clause lets the alert through, and that everyone who had to consent did."""
    return Reason(Code.CONSENTED, (("clause", str(under)), ("by", tuple(by))))


def consent_refused(under: ClauseRef, by: str) -> Reason:
    """Say that somebody who had to consent refused to."""
    return Reason(Code.CONSENT_REFUSED, (("clause", str(under)), ("by", by)))


def consent_lapsed(under: ClauseRef, by: Iterable[str], deadline: str) -> Reason:
    """Say who had to consent and had not by ``deadline`` (RFC 3339)."""
    return Reason(Code.CONSENT_LAPSED, (("clause", str(under)), ("by", tuple(by)), ("deadline", deadline)))


def overtaken(by: AlertId) -> Reason:
    """Say that a later alert of the thread took the place of one that awaited consent."""
    return Reason(Code.OVERTAKEN, (("later", by),))


def erasure_ordered(jurisdiction: JurisdictionCode) -> Reason:
    """Say whose authority ordered the alert's content to be erased before a copy had gone out."""
    return Reason(Code.ERASURE_ORDERED, (("jurisdiction", jurisdiction),))


def source_unknown(source: str) -> Reason:
    """Say that the alert passes on one that its sender did not receive here; ``source`` as in ``Source.name``."""
    return Reason(Code.SOURCE_UNKNOWN, (("source", source),))


def onward_forbidden(source: str) -> Reason:
    """Say that the sender received a source under a clause that forbids passing it on."""
    return Reason(Code.ONWARD_FORBIDDEN, (("source", source),))


def handling_loosened(source: str, *asked: str) -> Reason:
    """Say that the alert is marked for wider use than its source: which label or codes it would have to bear."""
    return Reason(Code.HANDLING_LOOSENED, (("source", source), ("asked", asked)))


def no_agreement(origin: JurisdictionCode, destination: JurisdictionCode) -> Reason:
    """Say that no agreement in force binds the two jurisdictions."""
    return Reason(Code.NO_AGREEMENT, (("from", origin), ("to", destination)))


def no_grant(sender: ParticipantId, alert_type: AlertType, agreements: Iterable[str]) -> Reason:
    """Say that agreements bind both sides, and that none of their clauses lets this type go to this recipient."""
    return Reason(
        Code.NO_GRANT,
        (("from", sender), ("type", alert_type), ("agreements", tuple(agreements))),
    )


def no_grant_at_home(jurisdiction: JurisdictionCode, alert_type: AlertType) -> Reason:
    """Say that no clause lets this type go from one agency of a jurisdiction to another."""
    return Reason(Code.NO_GRANT_AT_HOME, (("jurisdiction", jurisdiction), ("type", alert_type)))


def not_addressed() -> Reason:
    """Say that the sender named its recipients, and that this one is not among them."""
    return Reason(Code.NOT_ADDRESSED)


def not_reached() -> Reason:
    """Say that a Cancel goes only to those whom the thread reached."""
    return Reason(Code.NOT_REACHED)


def conditions_unmet(clauses: Iterable[ClauseRef]) -> Reason:
    """Say that clauses in force grant the type, and that each has a condition that the alert does not meet."""
    return Reason(Code.CONDITIONS_UNMET, (("clauses", tuple(map(str, clauses))),))


def nothing_to_copy(clauses: Iterable[ClauseRef]) -> Reason:
    """Say that this recipient is only told of what clauses let through, and that they let this through to nobody."""
    return Reason(Code.NOTHING_TO_COPY, (("clauses", tuple(map(str, clauses))),))


def not_yet_in_force(start: str) -> Reason:
    """Say that the agreement's validity begins later, at ``start`` (RFC 3339, as the agreement writes it)."""
    return Reason(Code.NOT_YET_IN_FORCE, (("valid_from", start),))


def expired(end: str) -> Reason:
    """Say that the agreement's validity is over since ``end`` (RFC 3339, as the agreement writes it)."""
    return Reason(Code.EXPIRED, (("valid_until", end),))


def suspended(since: datetime, by: JurisdictionCode) -> Reason:
    """Say that a party suspended the agreement, and that not all of them have resumed it."""
    return Reason(Code.SUSPENDED, (("since", utc_text(since)), ("by", by)))


def ended(since: datetime, by: JurisdictionCode) -> Reason:
    """Say that a party withdrew, which ended the agreement for it or, where too few were left, for all."""
    return Reason(Code.ENDED, (("since", utc_text(since)), ("by", by)))


def replaced(since: datetime) -> Reason:
    """Say that a later version governs in place of this one."""
    return Reason(Code.REPLACED, (("since", utc_text(since)),))


def not_acceded(jurisdiction: JurisdictionCode) -> Reason:
    """Say that a jurisdiction that may accede to the agreement has not done so."""
    return Reason(Code.NOT_ACCEDED, (("jurisdiction", jurisdiction),))


def altered(agreement: AgreementId) -> Reason:
    """Say that what the exchange holds of an agreement is not what its parties signed."""
    return Reason(Code.ALTERED, (("agreement", agreement),))


def not_allowed(code: Code, found: Iterable[str], allowed: tuple[str, ...]) -> Reason:
    """Say which values of a CAP enumeration were found that a condition does not allow.

    Found values are sorted and named once, so that the same alert always gives the same reason.
    """
    return Reason(code, (("found", tuple(sorted(set(found)))), ("allowed", allowed)))


def no_info(condition: str) -> Reason:
    """Say that a condition on the info blocks cannot hold, because the alert has none."""
    return Reason(Code.NO_INFO, (("condition", condition),))


def tlp_above_ceiling(label: str, ceiling: str) -> Reason:
    """Say that the alert's TLP label is stricter than the clause's ceiling."""
    return Reason(Code.TLP_ABOVE_CEILING, (("label", label), ("ceiling", ceiling)))


def language_not_allowed(allowed: tuple[str, ...]) -> Reason:
    """Say that at least one info block is in no language that a condition allows."""
    return Reason(Code.LANGUAGE_NOT_ALLOWED, (("languages", allowed),))


def area_not_within(allowed: tuple[str, ...]) -> Reason:
    """Say that an info block has no area, or one that is not surely within what a condition allows.

    ``allowed`` are the document's names of regions, and codes with their list: ``SGC 24``.
    """
    return Reason(Code.AREA_NOT_WITHIN, (("areas", allowed),))


def exercise_only(status: str) -> Reason:
    """Say that the clause is for exercises alone, and of which status the alert is."""
    return Reason(Code.EXERCISE_ONLY, (("status", status),))
