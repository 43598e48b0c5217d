"""What a permit's terms say, in French and in English: the sentences of the obligations that would ask for as much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from agreements.obligation_words import obligation_in_words
from agreements.obligations import (
    ConsentByObligation,
    DeadlineObligation,
    DeIdentifyObligation,
    ExerciseOnlyObligation,
    Obligation,
    OnwardObligation,
    PrecisionObligation,
    RedactObligation,
    RetentionObligation,
)
from schemas.bilingual import Bilingual
from schemas.decisions import Onward, Terms, Treatment, Withholding
from schemas.fields import Part

ObligationT = TypeVar("ObligationT", bound=Part)


def terms_in_words(terms: Terms) -> tuple[Bilingual, ...]:
    """Return one sentence for each thing that terms oblige to; none for terms that oblige to nothing.

    What a clause named by its class is called by its class; the pointers are in the terms themselves.
    """
    return tuple(obligation_in_words(each) for each in _obligations(terms))


def _obligations(terms: Terms) -> Iterator[Obligation]:
    yield from _withholding(terms.withholdings)
    if terms.deliver_within is not None or terms.acknowledge_within is not None:
        yield _made(
            DeadlineObligation, "deadline", delivery=terms.deliver_within, acknowledgement=terms.acknowledge_within
        )
    if terms.retain_days is not None:
        yield _made(RetentionObligation, "retention", days=terms.retain_days)
    if terms.onward is Onward.FORBIDDEN:
        yield _made(OnwardObligation, "onward", rule=Onward.FORBIDDEN)
    if terms.consent_by:
        participants = tuple(each for each in terms.consent_by if "." in each)
        parties = tuple(each for each in terms.consent_by if "." not in each)
        yield _made(
            ConsentByObligation, "consent-by", parties=parties, participants=participants, within=terms.consent_within
        )
    if terms.exercise:
        yield _made(ExerciseOnlyObligation, "exercise-only")


def _withholding(several: tuple[Withholding, ...]) -> Iterator[Obligation]:
    """Yield what is left out, replaced and reduced, in this order."""
    redacted, replaced, year, region = (
        [each for each in several if each.treatment is treatment]
        for treatment in (Treatment.REDACT, Treatment.PSEUDONYM, Treatment.YEAR, Treatment.REGION)
    )
    if redacted:
        yield _made(RedactObligation, "redact", paths=_paths(redacted), classes=_classes(redacted))
    if replaced:
        yield _made(DeIdentifyObligation, "de-identify", paths=_paths(replaced), classes=_classes(replaced))
    if year or region:
        yield _made(PrecisionObligation, "precision", year=_all(year), region=_all(region))


def _made(kind: type[ObligationT], tag: str, **members: object) -> ObligationT:
    """Return an obligation; a member that says nothing is left out, as an agreement would leave it out."""
    said = {name: value for name, value in members.items() if value not in (None, ())}
    return kind.model_validate({"obligation": tag, **said})


def _paths(several: list[Withholding]) -> tuple[str, ...]:
    return tuple(each.pointer for each in several if not each.mark)


def _all(several: list[Withholding]) -> tuple[str, ...]:
    return tuple(each.pointer for each in several)


def _classes(several: list[Withholding]) -> tuple[str, ...]:
    return tuple(sorted({each.mark for each in several if each.mark}))
