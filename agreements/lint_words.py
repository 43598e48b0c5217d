"""The sentences of what ``agreements.lint`` finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agreements.vocabulary import AND, listed
from schemas.bilingual import Bilingual

UNKNOWN_PARTY: Final = Bilingual(
    fr="Cette plateforme ne connaît pas cette juridiction.", en="This exchange does not know this jurisdiction."
)
UNKNOWN_PARTICIPANT: Final = Bilingual(
    fr="Cette plateforme ne connaît pas ce participant.", en="This exchange does not know this participant."
)
OVER: Final = Bilingual(fr="Cette entente a déjà pris fin.", en="This agreement is over already.")
BLANK: Final = Bilingual(
    fr="Ce passage ne dit rien encore : les parties le signeraient ainsi.",
    en="This passage says nothing yet: the parties would sign it so.",
)
NO_CONTACT: Final = Bilingual(
    fr="Cette partie n'a désigné aucun répondant.", en="This party has named nobody to answer for the agreement."
)
NOT_SIGNED: Final = Bilingual(fr="Cette partie n'a pas encore signé.", en="This party has not signed yet.")
UNUSED_REGION: Final = Bilingual(fr="Aucune clause ne nomme cette région.", en="No clause names this region.")
UNKNOWN_TYPE: Final = Bilingual(
    fr="Cette plateforme ne connaît aucun type d'alerte de ce nom.",
    en="This exchange knows no type of alert by this name.",
)
UNUSABLE: Final = Bilingual(
    fr="Personne ne peut se prévaloir de cette clause : aucun expéditeur de ces types, ou aucun destinataire.",
    en="Nobody can use this clause: no sender of these types, or no receiver.",
)
NO_RECEIVER: Final = Bilingual(
    fr="Ce participant n'a pas le rôle de destinataire : il ne sera informé de rien.",
    en="This participant does not have the role of receiver: it will be told of nothing.",
)
UNREACHABLE: Final = Bilingual(
    fr="Cette clause ne peut rien transmettre : aucune alerte ne remplit à la fois toutes ses conditions.",
    en="This clause can let nothing through: no alert meets all of its conditions together.",
)
CONSENT_TOO_LATE: Final = Bilingual(
    fr="Le délai de livraison expire avant que le consentement doive être donné.",
    en="The deadline for delivery passes before the consent is due.",
)
CLASS_NOWHERE: Final = Bilingual(
    fr="Aucun type d'alerte visé par cette clause n'a de champ de cette classe.",
    en="No type of alert that this clause covers has a field of this class.",
)
NO_DATE: Final = Bilingual(
    fr="Ce champ n'est pas une date : on ne peut en garder que l'année.",
    en="This field is no date: there is no year to leave of it.",
)
WITHHELD: Final = Bilingual(fr="ce qu'elles retiennent", en="what they withhold")
CONSENT: Final = Bilingual(fr="le consentement qu'elles exigent", en="the consent that they require")
ONWARD: Final = Bilingual(fr="la retransmission", en="onward sharing")


def no_such_field(pattern: str) -> Bilingual:
    """Say that alerts of a type, or of every type of a domain, have nothing at a path."""
    return Bilingual(
        fr=f"Les alertes de type {pattern} n'ont pas de champ à cet endroit.",
        en=f"Alerts of type {pattern} have no field at this place.",
    )


def same_as(clause: str) -> Bilingual:
    """Say that a clause repeats another."""
    return Bilingual(
        fr=f"Cette clause dit la même chose que la clause {clause}.",
        en=f"This clause says the same as clause {clause}.",
    )


def shadowed_by(clause: str) -> Bilingual:
    """Say that a clause has no effect beside another."""
    return Bilingual(
        fr=f"Cette clause ne change rien : la clause {clause} permet déjà tout ce qu'elle permet.",
        en=f"This clause changes nothing: clause {clause} lets through already all that it does.",
    )


def shadows(clause: str) -> Bilingual:
    """Say that an earlier clause has no effect beside this one."""
    return Bilingual(
        fr=f"La clause {clause} ne change rien : cette clause permet tout ce qu'elle permet.",
        en=f"Clause {clause} changes nothing: this clause lets through all that it does.",
    )


def overlaps(clause: str) -> Bilingual:
    """Say that two clauses may permit one alert."""
    return Bilingual(
        fr=f"Une même alerte peut être permise par cette clause et par la clause {clause}, dans la même voie.",
        en=f"One alert may be permitted by this clause and by clause {clause}, in the same lane.",
    )


def differs_from(clause: str, subjects: Sequence[Bilingual]) -> Bilingual:
    """Say that two clauses may permit one alert, and in what they would treat it differently."""
    fr, en = (listed([each.in_language(language) for each in subjects], language, last=AND) for language in _BOTH)
    return Bilingual(
        fr=f"Une même alerte peut être permise par cette clause et par la clause {clause}, qui diffèrent quant à {fr}; "
        "la plus stricte l'emporte.",
        en=f"One alert may be permitted by this clause and by clause {clause}, which differ in {en}; "
        "the stricter rules.",
    )


_BOTH: Final = ("fr", "en")
