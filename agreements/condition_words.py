"""What every condition says, as a sentence in French and in English."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import assert_never

from agreements import vocabulary
from agreements.conditions import Condition
from agreements.conditions.area import AreaCondition, CodeList
from agreements.conditions.header import HandlingCondition, MsgTypeCondition, StatusCondition, TlpCondition
from agreements.conditions.info import (
    CategoryCondition,
    CertaintyCondition,
    LanguageCondition,
    SeverityCondition,
    UrgencyCondition,
)
from agreements.vocabulary import AND, NO_NAMES, OR, listed, named, word
from schemas.bilingual import Bilingual, Language


def condition_in_words(condition: Condition, *, names: Mapping[str, Bilingual] = NO_NAMES) -> Bilingual:
    """Return what a condition asks of an alert; ``names`` gives those of the document's regions."""
    match condition:
        case StatusCondition():
            said = _either(vocabulary.STATUS, condition.allowed)
            return Bilingual(fr=f"Le statut de l'alerte est : {said.fr}.", en=f"The alert's status is {said.en}.")
        case MsgTypeCondition():
            said = _either(vocabulary.MSG_TYPE, condition.allowed)
            return Bilingual(fr=f"La nature du message est : {said.fr}.", en=f"The kind of message is {said.en}.")
        case TlpCondition():
            return Bilingual(
                fr=f"La mention TLP de l'alerte est au plus TLP:{condition.ceiling}.",
                en=f"The alert's TLP label is at most TLP:{condition.ceiling}.",
            )
        case HandlingCondition():
            said = _either(vocabulary.HANDLING, condition.allowed)
            return Bilingual(
                fr=f"Tout code de traitement que porte l'alerte est : {said.fr}.",
                en=f"Every handling code that the alert bears is {said.en}.",
            )
        case _:
            return _of_info(condition, names)


def _of_info(
    condition: SeverityCondition
    | UrgencyCondition
    | CertaintyCondition
    | CategoryCondition
    | LanguageCondition
    | AreaCondition,
    names: Mapping[str, Bilingual],
) -> Bilingual:
    match condition:
        case SeverityCondition() | UrgencyCondition() | CertaintyCondition():
            said = _either(vocabulary.INFO_VALUES[condition.condition], condition.allowed)
            return Bilingual(
                fr=f"Dans chaque bloc d'information, {vocabulary.INFO[condition.condition].fr} est : {said.fr}.",
                en=f"In every info block, {vocabulary.INFO[condition.condition].en} is {said.en}.",
            )
        case CategoryCondition():
            said = _either(vocabulary.CATEGORY, condition.allowed)
            return Bilingual(
                fr=f"Toute catégorie que nomme un bloc d'information est : {said.fr}.",
                en=f"Every category that an info block names is {said.en}.",
            )
        case LanguageCondition():
            said = _both(lambda language: listed(literal(condition.allowed), language, last=OR))
            return Bilingual(
                fr=f"La langue de chaque bloc d'information, avec ses variantes, est : {said.fr}.",
                en=f"The language of every info block, its variants included, is {said.en}.",
            )
        case AreaCondition():
            said = _both(lambda language: listed(_places(condition, names, language), language, last=AND))
            return Bilingual(
                fr=f"Chaque zone de chaque bloc d'information est entièrement comprise dans : {said.fr}.",
                en=f"Every area of every info block lies wholly within {said.en}.",
            )
        case _:
            assert_never(condition)


def _places(condition: AreaCondition, names: Mapping[str, Bilingual], language: Language) -> list[str]:
    regions = [named(names, region, language) for region in condition.regions]
    return [*regions, *codes_in_words(condition.codes)]


def codes_in_words(lists: Sequence[CodeList]) -> list[str]:
    """Return the codes of some lists, each list by its name; the same in every language."""
    return [f"{each.scheme} {', '.join(literal(each.allowed))}" for each in lists]


def literal(values: Iterable[str]) -> list[str]:
    """Return values that are executed to the letter, as Markdown shows such."""
    return [f"`{value}`" for value in values]


def _either(words: Mapping[str, Bilingual], codes: Sequence[str]) -> Bilingual:
    return _both(lambda language: listed([word(words, code, language) for code in codes], language, last=OR))


def _both(said: Callable[[Language], str]) -> Bilingual:
    return Bilingual(fr=said("fr"), en=said("en"))
