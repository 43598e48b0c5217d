"""What a permit obliges to: the terms of one clause for one type of alert, and the strictest of several clauses.

* What any clause withholds is withheld. Each place is treated as strictly as any treatment of it, or of a place above
  it, asks: leaving out, then the pseudonym, then the year or the region; a pseudonym stands where one clause would
  leave the year of a value and another its region.
* Least seconds, least days; ``forbidden`` over ``with-consent``; whoever must consent under any clause must; marked as
  an exercise's where any clause says so.

So what another clause adds never loosens: whatever was withheld, asked or forbidden before still is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from agreements.obligations import (
    ConsentByObligation,
    CopyToObligation,
    DeadlineObligation,
    DeIdentifyObligation,
    ExerciseOnlyObligation,
    LaneObligation,
    Obligation,
    OnwardObligation,
    PrecisionObligation,
    RedactObligation,
    RetentionObligation,
)
from schemas.alerts.catalogue import marked_paths
from schemas.decisions import NO_TERMS, ClauseRef, Onward, Terms, Treatment, Withholding
from schemas.ids import AlertType

_STRENGTH: Final = {Treatment.YEAR: 1, Treatment.REGION: 1, Treatment.PSEUDONYM: 2, Treatment.REDACT: 3}


def terms_of(obligations: Iterable[Obligation], ref: ClauseRef, alert_type: AlertType) -> Terms:
    """Return the terms of one clause for alerts of a type, whose marked fields its classes are resolved to."""
    return strictest([_terms(obligation, ref, alert_type) for obligation in obligations])


def strictest(several: Sequence[Terms]) -> Terms:
    """Return the strictest of several terms, whatever their order; ``NO_TERMS`` for none."""
    if len(several) <= 1:
        return several[0] if several else NO_TERMS
    forbidden = any(terms.onward is Onward.FORBIDDEN for terms in several)
    return Terms(
        withholdings=_strictest_withholdings(each for terms in several for each in terms.withholdings),
        deliver_within=_least(terms.deliver_within for terms in several),
        acknowledge_within=_least(terms.acknowledge_within for terms in several),
        retain_days=_least(terms.retain_days for terms in several),
        onward=Onward.FORBIDDEN if forbidden else Onward.WITH_CONSENT,
        consent_by=tuple(sorted({side for terms in several for side in terms.consent_by})),
        consent_within=_least(terms.consent_within for terms in several),
        exercise=any(terms.exercise for terms in several),
    )


def at_least(terms: Terms, other: Terms) -> bool:
    """Say whether terms are at least as strict as others, in everything."""
    limits = (
        (terms.deliver_within, other.deliver_within),
        (terms.acknowledge_within, other.acknowledge_within),
        (terms.retain_days, other.retain_days),
        (terms.consent_within, other.consent_within),
    )
    return (
        all(any(covers(each, known) for each in terms.withholdings) for known in other.withholdings)
        and all(most is None or (limit is not None and limit <= most) for limit, most in limits)
        and (terms.onward is Onward.FORBIDDEN or other.onward is Onward.WITH_CONSENT)
        and set(terms.consent_by) >= set(other.consent_by)
        and terms.exercise >= other.exercise
    )


def covers(one: Withholding, other: Withholding) -> bool:
    """Say whether one treats the place of another at least as strictly."""
    as_strict = one.treatment is other.treatment or _STRENGTH[one.treatment] > _STRENGTH[other.treatment]
    return as_strict and _includes(one, other.pointer)


def _terms(obligation: Obligation, ref: ClauseRef, alert_type: AlertType) -> Terms:  # noqa: PLR0911 - one for each obligation
    match obligation:
        case RedactObligation() | DeIdentifyObligation() | PrecisionObligation():
            return Terms(withholdings=_strictest_withholdings(_withheld(obligation, ref, alert_type)))
        case DeadlineObligation(delivery=delivery, acknowledgement=acknowledgement):
            return Terms(deliver_within=delivery, acknowledge_within=acknowledgement)
        case RetentionObligation(days=days):
            return Terms(retain_days=days)
        case OnwardObligation(rule=rule):
            return Terms(onward=rule)
        case ConsentByObligation(parties=parties, participants=participants, within=within):
            return Terms(consent_by=tuple(sorted((*parties, *participants))), consent_within=within)
        case ExerciseOnlyObligation():
            return Terms(exercise=True)
        case LaneObligation() | CopyToObligation():
            return NO_TERMS


def _withheld(
    obligation: RedactObligation | DeIdentifyObligation | PrecisionObligation, ref: ClauseRef, alert_type: AlertType
) -> Iterator[Withholding]:
    match obligation:
        case PrecisionObligation(year=year, region=region):
            yield from (Withholding(path, Treatment.YEAR, "", ref) for path in year)
            yield from (Withholding(path, Treatment.REGION, "", ref) for path in region)
        case RedactObligation() | DeIdentifyObligation():
            redacts = isinstance(obligation, RedactObligation)
            treatment = Treatment.REDACT if redacts else Treatment.PSEUDONYM
            yield from (Withholding(path, treatment, "", ref) for path in obligation.paths)
            for mark in obligation.classes:
                yield from (Withholding(path, treatment, mark, ref) for path in marked_paths(alert_type, mark))


def _strictest_withholdings(several: Iterable[Withholding]) -> tuple[Withholding, ...]:
    asked = tuple(several)
    rulings = sorted({_ruling(pointer, asked) for pointer in {each.pointer for each in asked}})
    return tuple(each for each in rulings if not any(covers(other, each) for other in rulings if other is not each))


def _ruling(pointer: str, asked: Sequence[Withholding]) -> Withholding:
    """Return what all that treat a place come to, named by the lowest clause that asks for it."""
    treating = [each for each in asked if _includes(each, pointer)]
    treatments = {each.treatment for each in treating}
    joined = max(treatments, key=_STRENGTH.__getitem__)
    if treatments == {Treatment.YEAR, Treatment.REGION}:
        joined = Treatment.PSEUDONYM
    foremost = min(
        [each for each in treating if each.treatment is joined] or treating, key=lambda each: (each.under, each.mark)
    )
    return Withholding(pointer, joined, foremost.mark, foremost.under)


def _includes(one: Withholding, pointer: str) -> bool:
    return f"{pointer}/".startswith(f"{one.pointer}/")


def _least(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
