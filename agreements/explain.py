"""Decisions and clauses in words, in French and in English.

``explain`` gives the sentence of every reason that ``agreements.decide`` can give, past ones included: a code stays
here for good. ``describe`` gives the sentence of every condition and obligation that an agreement can carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agreements import vocabulary
from agreements.conditions import (
    CategoryCondition,
    CertaintyCondition,
    Condition,
    SeverityCondition,
    StatusCondition,
    TlpCondition,
    UrgencyCondition,
)
from agreements.document import Grant
from agreements.obligations import LaneObligation, Obligation
from agreements.reasons import Code
from agreements.vocabulary import AND, NO_NAMES, OR, cited, listed, moment, named, type_words, word
from schemas.bilingual import Bilingual, Language
from schemas.decisions import Lane, Reason, ReasonArgument


class UnknownReasonError(ValueError):
    """The reason's code is none of this exchange's, or its arguments are not those of its code."""


def explain(reason: Reason) -> Bilingual:
    """Return the sentence that a reason stands for. Raises ``UnknownReasonError``."""
    try:
        code = Code(reason.code)
        sentence = SENTENCES[code]
        return Bilingual(
            fr=sentence.fr.format_map(_arguments(code, reason, "fr")),
            en=sentence.en.format_map(_arguments(code, reason, "en")),
        )
    except (ValueError, KeyError):
        raise UnknownReasonError from None


def describe(term: Condition | Obligation) -> Bilingual:
    """Return what a condition asks of an alert, or what an obligation asks of the exchange, as a sentence."""
    match term:
        case StatusCondition():
            statuses = _either(vocabulary.STATUS, term.allowed)
            return Bilingual(
                fr=f"Le statut de l'alerte est : {statuses.fr}.", en=f"The alert's status is {statuses.en}."
            )
        case TlpCondition():
            return Bilingual(
                fr=f"La mention TLP de l'alerte est au plus TLP:{term.ceiling}.",
                en=f"The alert's TLP label is at most TLP:{term.ceiling}.",
            )
        case SeverityCondition() | UrgencyCondition() | CertaintyCondition():
            values = _either(vocabulary.INFO_VALUES[term.condition], term.allowed)
            return Bilingual(
                fr=f"Dans chaque bloc d'information, {vocabulary.INFO[term.condition].fr} est : {values.fr}.",
                en=f"In every info block, {vocabulary.INFO[term.condition].en} is {values.en}.",
            )
        case CategoryCondition():
            categories = _either(vocabulary.CATEGORY, term.allowed)
            return Bilingual(
                fr=f"Toute catégorie que nomme un bloc d'information est : {categories.fr}.",
                en=f"Every category that an info block names is {categories.en}.",
            )
        case LaneObligation():
            return _in_lane(term.lane)


def permission(grant: Grant, language: Language, *, names: Mapping[str, Bilingual] = NO_NAMES) -> str:
    """Return who may send what to whom under a clause, its conditions and obligations aside."""
    origins = listed([named(names, side, language) for side in grant.origins], language, last=AND)
    recipients = listed([named(names, side, language) for side in grant.recipients], language, last=AND)
    types = listed([type_words(pattern, language) for pattern in grant.types], language, last=AND)
    if language == "fr":
        return f"Peuvent transmettre : {origins}. Peuvent recevoir : {recipients}. Alertes visées : {types}."
    return f"May send: {origins}. May receive: {recipients}. Alerts covered: {types}."


def _either(words: Mapping[str, Bilingual], codes: Sequence[str]) -> Bilingual:
    return Bilingual(fr=_words(words, codes, "fr", last=OR), en=_words(words, codes, "en", last=OR))


def _words(words: Mapping[str, Bilingual], codes: Sequence[str], language: Language, *, last: Bilingual) -> str:
    return listed([word(words, code, language) for code in codes], language, last=last)


def _in_lane(lane: Lane) -> Bilingual:
    match lane:
        case Lane.URGENT:
            return Bilingual(fr="L'alerte emprunte la voie urgente.", en="The alert travels in the urgent lane.")
        case Lane.ROUTINE:
            return Bilingual(fr="L'alerte emprunte la voie ordinaire.", en="The alert travels in the routine lane.")


def _arguments(code: Code, reason: Reason, language: Language) -> dict[str, str]:
    return {name: _argument(code, name, value, language) for name, value in reason.arguments}


def _argument(code: Code, name: str, value: ReasonArgument, language: Language) -> str:
    items = value if isinstance(value, tuple) else (str(value),)
    match name:
        case "clause" | "clauses":
            return listed([cited(ref, language) for ref in items], language, last=AND)
        case "valid_from" | "valid_until" | "since":
            return listed([moment(text, language) for text in items], language, last=AND)
        case "found" | "allowed":
            return _words(VALUES[code], items, language, last=AND if name == "found" else OR)
        case "condition":
            return _words(vocabulary.INFO, items, language, last=AND)
        case _:
            return listed(items, language, last=AND)


VALUES: Final[Mapping[Code, Mapping[str, Bilingual]]] = {
    Code.STATUS_NOT_ALLOWED: vocabulary.STATUS,
    Code.SEVERITY_NOT_ALLOWED: vocabulary.SEVERITY,
    Code.URGENCY_NOT_ALLOWED: vocabulary.URGENCY,
    Code.CERTAINTY_NOT_ALLOWED: vocabulary.CERTAINTY,
    Code.CATEGORY_NOT_ALLOWED: vocabulary.CATEGORY,
}
"""Whose words the values found and allowed are, for the codes that compare some."""

SENTENCES: Final[Mapping[Code, Bilingual]] = {
    Code.GRANTED: Bilingual(
        fr="L'alerte est transmise en vertu de la clause {clause}.",
        en="The alert is passed on under clause {clause}.",
    ),
    Code.FOLLOWS_THREAD: Bilingual(
        fr="Ce destinataire a reçu une alerte antérieure du même fil en vertu de la clause {clause}; "
        "il reçoit donc aussi celle-ci.",
        en="This recipient received an earlier alert of the same thread under clause {clause}, "
        "and so receives this one too.",
    ),
    Code.NO_AGREEMENT: Bilingual(
        fr="Aucune entente en vigueur ne lie {from} et {to}.",
        en="No agreement in force binds {from} and {to}.",
    ),
    Code.NO_GRANT: Bilingual(
        fr="Aucune clause ne permet à {from} de transmettre à ce destinataire une alerte de type {type} "
        "(en vigueur : {agreements}).",
        en="No clause lets {from} send this recipient an alert of type {type} (in force: {agreements}).",
    ),
    Code.NO_GRANT_AT_HOME: Bilingual(
        fr="Aucune clause ne permet de transmettre une alerte de type {type} d'un participant de {jurisdiction} à un "
        "autre.",
        en="No clause lets an alert of type {type} go from one participant of {jurisdiction} to another.",
    ),
    Code.NOT_ADDRESSED: Bilingual(
        fr="L'expéditeur a nommé les destinataires de cette alerte, et celui-ci n'en est pas.",
        en="The sender named the recipients of this alert, and this one is not among them.",
    ),
    Code.NOT_REACHED: Bilingual(
        fr="Une annulation va à ceux que le fil a atteints, et ce destinataire n'en est pas.",
        en="A cancellation goes to those whom the thread reached, and this recipient is not among them.",
    ),
    Code.CONDITIONS_UNMET: Bilingual(
        fr="L'alerte ne remplit pas toutes les conditions d'une clause qui la permettrait (clauses examinées : "
        "{clauses}).",
        en="The alert does not meet all the conditions of any clause that would let it through (clauses considered: "
        "{clauses}).",
    ),
    Code.NOT_YET_IN_FORCE: Bilingual(
        fr="L'entente n'est pas encore en vigueur; elle le sera le {valid_from}.",
        en="The agreement is not yet in force; it will be on {valid_from}.",
    ),
    Code.EXPIRED: Bilingual(
        fr="L'entente n'est plus en vigueur; elle a pris fin le {valid_until}.",
        en="The agreement is no longer in force; it ended on {valid_until}.",
    ),
    Code.SUSPENDED: Bilingual(
        fr="L'entente est suspendue par {by} depuis le {since}; toutes les parties doivent la rétablir.",
        en="The agreement has been suspended by {by} since {since}; every party must resume it.",
    ),
    Code.ENDED: Bilingual(
        fr="L'entente a pris fin le {since} par le retrait de {by}.",
        en="The agreement ended on {since} with the withdrawal of {by}.",
    ),
    Code.REPLACED: Bilingual(
        fr="Une version plus récente remplace celle-ci depuis le {since}.",
        en="A later version has replaced this one since {since}.",
    ),
    Code.NOT_ACCEDED: Bilingual(
        fr="L'entente est ouverte à l'adhésion de {jurisdiction}, qui n'y a pas adhéré.",
        en="The agreement is open to {jurisdiction}, which has not acceded to it.",
    ),
    Code.ALTERED: Bilingual(
        fr="Ce que la plateforme conserve de l'entente {agreement} n'est pas ce que ses parties ont signé.",
        en="What the exchange holds of agreement {agreement} is not what its parties signed.",
    ),
    Code.STATUS_NOT_ALLOWED: Bilingual(
        fr="Le statut de l'alerte est : {found}; la clause n'admet que : {allowed}.",
        en="The alert's status is {found}; the clause allows {allowed} only.",
    ),
    Code.TLP_ABOVE_CEILING: Bilingual(
        fr="L'alerte porte la mention TLP:{label}; la clause n'admet rien au-dessus de TLP:{ceiling}.",
        en="The alert is marked TLP:{label}; the clause allows nothing above TLP:{ceiling}.",
    ),
    Code.NO_INFO: Bilingual(
        fr="L'alerte n'a aucun bloc d'information; la condition sur {condition} ne peut donc être remplie.",
        en="The alert has no info block, so the condition on {condition} cannot be met.",
    ),
    Code.SEVERITY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information a cette gravité : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block has severity {found}; the clause allows {allowed} only.",
    ),
    Code.URGENCY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information a cette urgence : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block has urgency {found}; the clause allows {allowed} only.",
    ),
    Code.CERTAINTY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information a cette certitude : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block has certainty {found}; the clause allows {allowed} only.",
    ),
    Code.CATEGORY_NOT_ALLOWED: Bilingual(
        fr="Au moins un bloc d'information nomme cette catégorie : {found}; la clause n'admet que : {allowed}.",
        en="At least one info block names category {found}; the clause allows {allowed} only.",
    ),
}
"""The sentence of every code. Braces stand for the reason's arguments; see ``agreements.reasons``."""
