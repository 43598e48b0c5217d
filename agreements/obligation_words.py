"""What every obligation says, as a sentence in French and in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from agreements.condition_words import literal
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
from agreements.vocabulary import AND, MARKS, NO_NAMES, duration, listed, named, word
from schemas.bilingual import Bilingual, Language
from schemas.decisions import Lane, Onward


def obligation_in_words(obligation: Obligation, *, names: Mapping[str, Bilingual] = NO_NAMES) -> Bilingual:
    """Return what an obligation asks for; ``names`` gives those of jurisdictions and participants."""
    match obligation:
        case LaneObligation(lane=lane):
            return _LANE[lane]
        case OnwardObligation(rule=rule):
            return _ONWARD[rule]
        case ExerciseOnlyObligation():
            return _EXERCISE
        case RetentionObligation(days=days):
            plural = "" if days == 1 else "s"
            return Bilingual(
                fr=f"Le destinataire conserve l'alerte au plus {days} jour{plural} après son acceptation.",
                en=f"The recipient keeps the alert for at most {days} day{plural} from its acceptance.",
            )
        case DeadlineObligation() | ConsentByObligation() | CopyToObligation():
            return Bilingual(fr=_in_french(obligation, names), en=_in_english(obligation, names))
        case RedactObligation() | DeIdentifyObligation() | PrecisionObligation():
            return Bilingual(fr=_withheld_fr(obligation), en=_withheld_en(obligation))
        case _:
            assert_never(obligation)


def _in_french(obligation: DeadlineObligation | ConsentByObligation | CopyToObligation, names: _Names) -> str:
    match obligation:
        case DeadlineObligation():
            times = (("être livrée", obligation.delivery), ("faire l'objet d'un accusé", obligation.acknowledgement))
            said = [f"{what} dans un délai de {duration(time, 'fr')}" for what, time in times if time is not None]
            return f"L'alerte doit {' et '.join(said)} après son acceptation."
        case ConsentByObligation():
            asked = _listed((*obligation.parties, *obligation.participants), names, "fr")
            within = duration(obligation.within, "fr")
            return (
                f"Avant la transmission, doit y consentir, dans un délai de {within} après l'acceptation : {asked}. "
                "Le délai d'accusé de réception court alors à partir de la transmission."
            )
        case CopyToObligation():
            told = _listed(obligation.participants, names, "fr")
            return f"Est aussi informé de toute alerte transmise en vertu de cette clause : {told}."


def _in_english(obligation: DeadlineObligation | ConsentByObligation | CopyToObligation, names: _Names) -> str:
    match obligation:
        case DeadlineObligation():
            times = (("delivered", obligation.delivery), ("acknowledged", obligation.acknowledgement))
            said = [f"{what} within {duration(time, 'en')}" for what, time in times if time is not None]
            return f"The alert must be {' and '.join(said)} of its acceptance."
        case ConsentByObligation():
            asked = _listed((*obligation.parties, *obligation.participants), names, "en")
            within = duration(obligation.within, "en")
            return (
                f"Before the alert is released, consent is needed, within {within} of its acceptance, of {asked}. "
                "The time to acknowledge it then runs from its release."
            )
        case CopyToObligation():
            told = _listed(obligation.participants, names, "en")
            return f"Also told of every alert that this clause lets through: {told}."


def _withheld_fr(obligation: RedactObligation | DeIdentifyObligation | PrecisionObligation) -> str:
    copy = "dans la copie du destinataire"
    match obligation:
        case RedactObligation():
            return f"Sont retirés de la copie du destinataire : {_fields(obligation, 'fr')}."
        case DeIdentifyObligation():
            return f"Sont remplacés par un pseudonyme {copy} : {_fields(obligation, 'fr')}."
        case PrecisionObligation(year=year, region=region):
            reduced = (("à l'année", year), ("à la région", region))
            said = [f"{to}, {listed(literal(paths), 'fr', last=AND)}" for to, paths in reduced if paths]
            return f"Sont réduits {copy} : {'; '.join(said)}."


def _withheld_en(obligation: RedactObligation | DeIdentifyObligation | PrecisionObligation) -> str:
    match obligation:
        case RedactObligation():
            return f"Left out of the recipient's copy: {_fields(obligation, 'en')}."
        case DeIdentifyObligation():
            return f"Replaced by a pseudonym in the recipient's copy: {_fields(obligation, 'en')}."
        case PrecisionObligation(year=year, region=region):
            reduced = (("to the year", year), ("to the region", region))
            said = [f"{to}, {listed(literal(paths), 'en', last=AND)}" for to, paths in reduced if paths]
            return f"Reduced in the recipient's copy: {'; '.join(said)}."


def _fields(obligation: RedactObligation | DeIdentifyObligation, language: Language) -> str:
    classes = [word(MARKS, mark, language) for mark in obligation.classes]
    return listed([*classes, *literal(obligation.paths)], language, last=AND)


def _listed(codes: Sequence[str], names: _Names, language: Language) -> str:
    return listed([named(names, code, language) for code in codes], language, last=AND)


_Names = Mapping[str, Bilingual]

_LANE: Final = {
    Lane.URGENT: Bilingual(fr="L'alerte emprunte la voie urgente.", en="The alert travels in the urgent lane."),
    Lane.ROUTINE: Bilingual(fr="L'alerte emprunte la voie ordinaire.", en="The alert travels in the routine lane."),
}
_ONWARD: Final = {
    Onward.FORBIDDEN: Bilingual(
        fr="Le destinataire ne peut transmettre l'alerte à personne.",
        en="The recipient may pass the alert on to nobody.",
    ),
    Onward.WITH_CONSENT: Bilingual(
        fr="Le destinataire ne peut transmettre l'alerte qu'avec le consentement de son émetteur.",
        en="The recipient may pass the alert on only with its originator's consent.",
    ),
}
_EXERCISE: Final = Bilingual(
    fr="Cette clause ne vise que les exercices : rien d'autre n'est transmis, et la copie en porte la mention.",
    en="This clause is for exercises alone: nothing else passes, and the copy is marked as one.",
)
