"""What is wrong with a value, in words: one sentence in each language for every way a model can refuse.

pydantic's own messages are in English and some repeat the offending value; a refusal must be bilingual and must never
echo content. So the sentence is made here from the error's type and from what the *model* says (limits, allowed
values), never from what was sent. A validator of ours that has more to say raises ``BrokenRuleError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.bilingual import Bilingual
from schemas.signing.strict_json import escaped


@final
class BrokenRuleError(ValueError):
    """A rule that no type can express is broken; ``reason`` says which, in both languages, without the value.

    A pydantic validator raises it, and ``sentence_for`` finds it again in the ``ErrorDetails``.
    """

    def __init__(self, reason: Bilingual) -> None:
        super().__init__(reason.en)
        self.reason = reason


def sentence_for(error: ErrorDetails) -> Bilingual:
    """Return the sentence that tells a person what one pydantic error means, without the value that caused it.

    Never raises: an error type that the table does not know gets a general sentence.
    """
    context: Mapping[str, Any] = error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, BrokenRuleError):
        return cause.reason
    template = SENTENCES.get(error["type"], _GENERAL)
    facts = {name: _shown(context[name]) for name in _FROM_THE_MODEL if name in context}
    if not facts:
        return template
    return Bilingual(fr=_filled(template.fr, facts, language_or="ou"), en=_filled(template.en, facts, language_or="or"))


def first_fault(error: ValidationError) -> Bilingual:
    """Return what is wrong first, after its place: a JSON Pointer (RFC 6901) where it is not the whole document."""
    fault = error.errors(include_url=False, include_input=False)[0]
    sentence = sentence_for(fault)
    if not fault["loc"]:
        return sentence
    pointer = "".join(escaped(step) for step in fault["loc"])
    return Bilingual(fr=f"{pointer} : {sentence.fr}", en=f"{pointer}: {sentence.en}")


_FROM_THE_MODEL: Final = (
    "min_length",
    "max_length",
    "gt",
    "ge",
    "lt",
    "le",
    "multiple_of",
    "expected",
    "expected_tags",
)
"""The context members that pydantic takes from the model; all others may repeat what was sent."""


def _shown(fact: object) -> str:
    return f"{fact:g}" if isinstance(fact, float) else str(fact).replace("'", "")


def _filled(template: str, facts: Mapping[str, str], *, language_or: str) -> str:
    for name, fact in facts.items():
        template = template.replace("{" + name + "}", fact.replace(" or ", f" {language_or} "))
    return template


_GENERAL: Final = Bilingual(
    fr="Cette valeur n'est pas acceptable à cet endroit.",
    en="This value is not acceptable here.",
)
_TEXT: Final = Bilingual(fr="Il faut ici une chaîne de caractères.", en="This must be a string.")
_WHOLE: Final = Bilingual(fr="Il faut ici un nombre entier.", en="This must be an integer.")
_NUMBER: Final = Bilingual(fr="Il faut ici un nombre.", en="This must be a number.")
_TRUTH: Final = Bilingual(fr="Il faut ici true ou false.", en="This must be true or false.")
_LIST: Final = Bilingual(fr="Il faut ici une liste.", en="This must be a list.")
_OBJECT: Final = Bilingual(fr="Il faut ici un objet.", en="This must be an object.")
_CHOICE: Final = Bilingual(fr="Valeurs admises : {expected}.", en="Allowed values: {expected}.")
_TIME: Final = Bilingual(
    fr="Il faut ici une date et une heure valides, selon la RFC 3339.",
    en="This must be a valid date and time, as in RFC 3339.",
)
_DATE: Final = Bilingual(
    fr="Il faut ici une date valide, sous la forme AAAA-MM-JJ.",
    en="This must be a valid date, written YYYY-MM-DD.",
)
_CLOCK: Final = Bilingual(fr="Il faut ici une heure valide.", en="This must be a valid time of day.")
_DURATION: Final = Bilingual(
    fr="Il faut ici une durée valide, selon ISO 8601.", en="This must be a valid duration, as in ISO 8601."
)
_ADDRESS: Final = Bilingual(fr="Il faut ici une adresse URL valide.", en="This must be a valid URL.")
_UUID: Final = Bilingual(
    fr="Il faut ici un UUID valide, en minuscules.", en="This must be a valid UUID, in lower case."
)
_JSON: Final = Bilingual(fr="Ce texte n'est pas du JSON valide.", en="This text is not valid JSON.")
_DEEP: Final = Bilingual(fr="Ce document est imbriqué trop profondément.", en="This document is nested too deeply.")
_UNICODE: Final = Bilingual(fr="Ce texte n'est pas de l'Unicode valide.", en="This text is not valid Unicode.")

SENTENCES: Final[Mapping[str, Bilingual]] = {
    "missing": Bilingual(fr="Ce membre est requis.", en="This member is required."),
    "extra_forbidden": Bilingual(fr="Ce membre n'est pas permis ici.", en="This member is not allowed here."),
    "invalid_key": Bilingual(
        fr="Les noms des membres doivent être des chaînes de caractères.", en="Member names must be strings."
    ),
    "string_type": _TEXT,
    "string_unicode": _UNICODE,
    "string_not_ascii": Bilingual(
        fr="Seuls les caractères ASCII sont permis ici.", en="Only ASCII characters are allowed here."
    ),
    "string_too_short": Bilingual(
        fr="Ce texte est trop court (au moins {min_length} caractères).",
        en="This text is too short (at least {min_length} characters).",
    ),
    "string_too_long": Bilingual(
        fr="Ce texte est trop long (au plus {max_length} caractères).",
        en="This text is too long (at most {max_length} characters).",
    ),
    "string_pattern_mismatch": Bilingual(
        fr="Ce texte n'a pas la forme requise.", en="This text does not have the required form."
    ),
    "enum": _CHOICE,
    "literal_error": _CHOICE,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": Bilingual(fr="Ce nombre est trop grand.", en="This number is too large."),
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": Bilingual(fr="Ce nombre doit être fini.", en="This number must be finite."),
    "greater_than": Bilingual(fr="Ce nombre doit être supérieur à {gt}.", en="This number must be greater than {gt}."),
    "greater_than_equal": Bilingual(fr="Ce nombre doit être au moins {ge}.", en="This number must be at least {ge}."),
    "less_than": Bilingual(fr="Ce nombre doit être inférieur à {lt}.", en="This number must be less than {lt}."),
    "less_than_equal": Bilingual(fr="Ce nombre doit être au plus {le}.", en="This number must be at most {le}."),
    "multiple_of": Bilingual(
        fr="Ce nombre doit être un multiple de {multiple_of}.", en="This number must be a multiple of {multiple_of}."
    ),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "too_short": Bilingual(
        fr="Il en faut davantage ici (au moins {min_length}).", en="More items are needed here (at least {min_length})."
    ),
    "too_long": Bilingual(
        fr="Il y en a trop ici (au plus {max_length}).", en="There are too many items here (at most {max_length})."
    ),
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "none_required": Bilingual(fr="Il faut ici null.", en="This must be null."),
    "union_tag_invalid": Bilingual(
        fr="Ce type d'objet n'existe pas ici. Types admis : {expected_tags}.",
        en="There is no such type of object here. Allowed types: {expected_tags}.",
    ),
    "union_tag_not_found": Bilingual(
        fr="Le membre qui dit le type de cet objet est absent.",
        en="The member that says which type of object this is, is missing.",
    ),
    "value_error": _GENERAL,
    "assertion_error": _GENERAL,
    "bytes_type": _TEXT,
    "bytes_too_short": Bilingual(
        fr="Ces données sont trop courtes (au moins {min_length} octets).",
        en="This is too short (at least {min_length} bytes).",
    ),
    "bytes_too_long": Bilingual(
        fr="Ces données sont trop longues (au plus {max_length} octets).",
        en="This is too long (at most {max_length} bytes).",
    ),
    "bytes_invalid_encoding": Bilingual(
        fr="Ces données ne sont pas encodées comme il se doit.", en="This is not encoded as it must be."
    ),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "date_past": Bilingual(fr="Cette date doit être passée.", en="This date must lie in the past."),
    "date_future": Bilingual(fr="Cette date doit être à venir.", en="This date must lie in the future."),
    "time_type": _CLOCK,
    "time_parsing": _CLOCK,
    "datetime_type": _TIME,
    "datetime_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "datetime_from_date_parsing": _TIME,
    "datetime_past": Bilingual(fr="Cet instant doit être passé.", en="This instant must lie in the past."),
    "datetime_future": Bilingual(fr="Cet instant doit être à venir.", en="This instant must lie in the future."),
    "timezone_naive": Bilingual(
        fr="Cette heure ne doit pas porter de décalage horaire.", en="This time must not carry an offset."
    ),
    "timezone_aware": Bilingual(
        fr="Cette heure doit porter son décalage par rapport à UTC.", en="This time must carry its offset from UTC."
    ),
    "timezone_offset": Bilingual(
        fr="Cette heure n'a pas le décalage horaire requis.", en="This time does not have the required offset."
    ),
    "time_delta_type": _DURATION,
    "time_delta_parsing": _DURATION,
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_syntax_violation": _ADDRESS,
    "url_too_long": Bilingual(
        fr="Cette adresse URL est trop longue (au plus {max_length} caractères).",
        en="This URL is too long (at most {max_length} characters).",
    ),
    "url_scheme": Bilingual(
        fr="Le schéma de cette adresse URL n'est pas permis.", en="The scheme of this URL is not allowed."
    ),
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "uuid_version": _UUID,
    "json_invalid": _JSON,
    "json_type": _JSON,
    "recursion_loop": _DEEP,
    "recursion_depth_exceeded": _DEEP,
    "is_instance_of": _GENERAL,
}
"""By pydantic's error type. Braces stand for what the model says; see ``_FROM_THE_MODEL``."""
