"""Every way a model can refuse has its sentence, in both languages, and none repeats what was sent."""

from __future__ import annotations

import re
import typing
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core.core_schema import ErrorType

from schemas.bilingual import Bilingual
from schemas.faults import SENTENCES, BrokenRuleError, first_fault, sentence_for

NOT_FROM_JSON = {
    "arguments_type", "callable_type", "complex_str_parsing", "complex_type", "counter_type",
    "dataclass_exact_type", "decimal_max_digits", "decimal_max_places", "decimal_parsing", "decimal_type",
    "decimal_whole_digits", "default_factory_not_called", "deque_type", "ellipsis_error", "fraction_parsing",
    "fraction_type", "frozen_dict_type", "frozen_field", "frozen_instance", "get_attribute_error",
    "is_subclass_of", "iteration_error", "missing_argument", "missing_keyword_only_argument",
    "missing_positional_only_argument", "missing_sentinel_error", "multiple_argument_values", "named_tuple_type",
    "needs_python_object", "no_such_attribute", "ordered_dict_type", "set_item_not_hashable",
    "unexpected_keyword_argument", "unexpected_positional_argument",
}  # fmt: skip
"""What pydantic says of Python objects, calls and number types that no model of a JSON document has."""

RULE = Bilingual(fr="La règle n'est pas suivie.", en="The rule is not followed.")


def _broken(_: str) -> str:
    raise BrokenRuleError(RULE)


def _careless(value: str) -> str:
    raise ValueError(value)


class Colour(StrEnum):
    """A member with few values."""

    RED = "red"
    GREEN = "green"


class Round(BaseModel):
    """One of two shapes."""

    shape: Literal["round"]


class Square(BaseModel):
    """The other of two shapes."""

    shape: Literal["square"]


class Sample(BaseModel):
    """A model that can refuse in many ways."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: Annotated[str, Field(min_length=3, max_length=12)] = "text"
    code: Annotated[str, Field(pattern="^[a-z]$")] = "a"
    colour: Colour = Colour.RED
    size: Literal["S", "M", "L"] = "S"
    count: Annotated[int, Field(ge=1, le=9)] = 1
    ratio: Annotated[float, Field(gt=0, lt=1.5)] = 1.0
    items: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    shape: Annotated[Round | Square, Field(discriminator="shape")] = Round(shape="round")
    ruled: Annotated[str, AfterValidator(_broken)] = ""
    careless: Annotated[str, AfterValidator(_careless)] = ""


def refusal(text: str) -> ValidationError:
    """Return how the sample refuses a JSON text."""
    with pytest.raises(ValidationError) as refused:
        Sample.model_validate_json(text)
    return refused.value


def test_every_error_of_pydantic_is_provided_for() -> None:
    """Each error type has a sentence, or is listed as one that no JSON document can cause."""
    assert set(typing.get_args(ErrorType)) == SENTENCES.keys() | NOT_FROM_JSON
    assert not SENTENCES.keys() & NOT_FROM_JSON


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        ('{"text":"a"}', "at least 3 characters", "au moins 3 caractères"),
        ('{"text":"aaaaaaaaaaaaa"}', "at most 12 characters", "au plus 12 caractères"),
        ('{"text":1}', "must be a string", "chaîne de caractères"),
        ('{"code":"secret"}', "required form", "forme requise"),
        ('{"colour":"secret"}', "Allowed values: red or green.", "Valeurs admises : red ou green."),
        ('{"size":"secret"}', "Allowed values: S, M or L.", "Valeurs admises : S, M ou L."),
        ('{"count":0}', "at least 1.", "au moins 1."),
        ('{"count":10}', "at most 9.", "au plus 9."),
        ('{"count":1.5}', "integer", "nombre entier"),
        ('{"ratio":0}', "greater than 0.", "supérieur à 0."),
        ('{"ratio":2}', "less than 1.5.", "inférieur à 1.5."),
        ('{"items":[]}', "at least 1", "au moins 1"),
        ('{"items":[1,2,3]}', "at most 2", "au plus 2"),
        ('{"items":{}}', "must be a list", "une liste"),
        ('{"shape":{"shape":"secret"}}', "Allowed types: round, square.", "Types admis : round, square."),
        ('{"shape":{}}', "missing", "absent"),
        ('{"shape":1}', "must be an object", "un objet"),
        ('{"secret":1}', "not allowed here", "pas permis ici"),
        ('{"ruled":"secret"}', RULE.en, RULE.fr),
        ('{"careless":"secret"}', "not acceptable", "pas acceptable"),
        ("secret", "not valid JSON", "pas du JSON"),
    ],
)
def test_the_sentence_tells_what_the_model_wants(text: str, english: str, french: str) -> None:
    """Limits and allowed values come from the model, in both languages; the value sent never shows."""
    (error,) = refusal(text).errors()
    sentence = sentence_for(error)
    assert english in sentence.en
    assert french in sentence.fr
    assert "secret" not in sentence.en + sentence.fr


def test_no_sentence_is_left_unfilled() -> None:
    """Braces appear only for what the model says, and the same in both languages."""
    for sentence in SENTENCES.values():
        holes = re.findall(r"{(\w+)}", sentence.en)
        assert holes == re.findall(r"{(\w+)}", sentence.fr)
        assert len(holes) == (sentence.en + sentence.fr).count("{") / 2


def test_an_unknown_error_type_gets_a_general_sentence() -> None:
    """A type that a later pydantic may add is still told in words."""
    (error,) = refusal('{"text":1}').errors()
    assert "not acceptable" in sentence_for({**error, "type": "invented_tomorrow"}).en


def test_the_first_fault_comes_with_its_place() -> None:
    """A JSON Pointer stands before the sentence; the whole document needs none."""
    fault = first_fault(refusal('{"items":[1,"secret"],"a/b":0}'))
    assert fault == Bilingual(fr="/items/1 : Il faut ici un nombre entier.", en="/items/1: This must be an integer.")
    assert first_fault(refusal("[]")).en == "This must be an object."
