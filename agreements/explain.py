"""Decisions and clauses in words, in French and in English.

``explain`` gives the sentence of every reason that ``agreements.decide`` can give, past ones included: a code stays
here for good. ``describe`` gives the sentence of every condition and obligation that an agreement can carry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agreements import vocabulary
from agreements.condition_words import condition_in_words
from agreements.conditions import Condition
from agreements.conditions.stated import Stated
from agreements.document import Grant
from agreements.obligation_words import obligation_in_words
from agreements.obligations import Obligation
from agreements.reasons import Code
from agreements.sentences import SENTENCES, VALUES
from agreements.vocabulary import AND, NO_NAMES, OR, cited, listed, moment, named, type_words, word
from schemas.bilingual import Bilingual, Language
from schemas.decisions import Reason, ReasonArgument


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


def describe(term: Condition | Obligation, *, names: Mapping[str, Bilingual] = NO_NAMES) -> Bilingual:
    """Return what a condition asks of an alert, or what an obligation asks for, as a sentence.

    ``names`` gives those of the document's regions, and of jurisdictions and participants; what has none stands as its
    code.
    """
    return condition_in_words(term, names=names) if isinstance(term, Stated) else obligation_in_words(term, names=names)


def permission(grant: Grant, language: Language, *, names: Mapping[str, Bilingual] = NO_NAMES) -> str:
    """Return who may send what to whom under a clause, its conditions and obligations aside."""
    origins = listed([named(names, side, language) for side in grant.origins], language, last=AND)
    recipients = listed([named(names, side, language) for side in grant.recipients], language, last=AND)
    types = listed([type_words(pattern, language) for pattern in grant.types], language, last=AND)
    if language == "fr":
        return f"Peuvent transmettre : {origins}. Peuvent recevoir : {recipients}. Alertes visées : {types}."
    return f"May send: {origins}. May receive: {recipients}. Alerts covered: {types}."


def _words(words: Mapping[str, Bilingual], codes: Sequence[str], language: Language, *, last: Bilingual) -> str:
    return listed([word(words, code, language) for code in codes], language, last=last)


def _arguments(code: Code, reason: Reason, language: Language) -> dict[str, str]:
    return {name: _argument(code, name, value, language) for name, value in reason.arguments}


def _argument(code: Code, name: str, value: ReasonArgument, language: Language) -> str:
    items = value if isinstance(value, tuple) else (str(value),)
    match name:
        case "clause" | "clauses":
            return listed([cited(ref, language) for ref in items], language, last=AND)
        case "valid_from" | "valid_until" | "since" | "deadline":
            return listed([moment(text, language) for text in items], language, last=AND)
        case "found" | "allowed":
            return _words(VALUES[code], items, language, last=AND if name == "found" else OR)
        case "status" | "condition":
            return _words(vocabulary.STATUS if name == "status" else vocabulary.INFO, items, language, last=AND)
        case _:
            return listed(items, language, last=AND)
