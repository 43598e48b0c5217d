"""Every type of alert there is: reading one, its JSON Schema, where its marked fields are.

To add a type, add a module to ``schemas.alerts.types`` with a subclass of ``Alert``; nothing else lists types.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.alerts import types
from schemas.alerts.header import Alert, TypeName
from schemas.alerts.marks import Mark, marked_in
from schemas.alerts.rules import BrokenRulesError, Path
from schemas.bilingual import Bilingual
from schemas.faults import sentence_for
from schemas.ids import AlertType
from schemas.signing.strict_json import JsonValue, escaped

MOST_FAULTS: Final = 50
"""How many faults of one document are told."""

MOST_POINTER: Final = 200
"""How long a pointer may be; the place of a longer one is told as far as that goes."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document: where, a stable code, and a sentence that repeats nothing of what was sent.

    ``pointer`` is an RFC 6901 pointer, or for an XML document a path such as ``/alert/info[1]/urgency`` with its
    ``line``.
    """

    pointer: str
    code: str
    message: Bilingual
    line: int | None = None


class InvalidAlertError(Exception):
    """The document is no alert of its type; ``faults`` says what is wrong, in the document's order."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.code}" for fault in faults))
        self.faults = faults


def parse_alert(document: JsonValue) -> Alert:
    """Return the alert that a JSON value says, checked by the model of its ``type``.

    Raises ``InvalidAlertError``. Nothing of the document is repeated in a fault but names of its members.
    """
    match document:
        case {"type": str(name)} if name in _classes():
            try:
                return _classes()[AlertType(name)].model_validate(document)
            except ValidationError as error:
                raise InvalidAlertError(tuple(_faults(error))) from None
        case {"type": _}:
            raise InvalidAlertError((_UNKNOWN_TYPE,))
        case dict():
            raise InvalidAlertError((_WITHOUT_TYPE,))
        case _:
            raise InvalidAlertError((_NO_OBJECT,))


def alert_types() -> tuple[AlertType, ...]:
    """Return every type of alert, in alphabetical order."""
    return tuple(_classes())


def title(alert_type: AlertType) -> Bilingual:
    """Return what a person calls alerts of a type. Raises ``KeyError`` for a type that there is not."""
    return _classes()[alert_type].title


@cache
def json_schema(alert_type: AlertType) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a type, made from its model; ``$id`` is relative.

    It says all that a single member must be; rules among members are the model's alone. Marked fields carry
    ``x-lacolle-marks``. Raises ``KeyError`` for a type that there is not.
    """
    schema = _classes()[alert_type].model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"schemas/{alert_type}",
        **schema,
        "title": _classes()[alert_type].title.en,
    }


@cache
def marked_paths(alert_type: AlertType, mark: Mark) -> tuple[str, ...]:
    """Return where the fields with a mark are: RFC 6901 pointers in which ``*`` stands for any position of a list.

    A pointer names everything below it. Raises ``KeyError`` for a type that there is not.
    """
    return marked_in(json_schema(alert_type), mark)


@cache
def _classes() -> Mapping[AlertType, type[Alert]]:
    found: dict[AlertType, type[Alert]] = {}
    for module in pkgutil.iter_modules(types.__path__, f"{types.__name__}."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, type) and issubclass(value, Alert) and value.__module__ == module.name:
                found[_name_of(value)] = value
    return dict(sorted(found.items()))


def _name_of(alert_class: type[Alert]) -> AlertType:
    names = [each.name for each in alert_class.model_fields["type"].metadata if isinstance(each, TypeName)]
    if len(names) != 1:
        raise TypeError(f"{alert_class.__qualname__} does not say which type it is")
    return names[0]


def _faults(error: ValidationError) -> Iterator[Fault]:
    errors = error.errors(include_url=False, include_input=False)[:MOST_FAULTS]
    for each in errors:
        if each["type"] == "too_short" and any(_is_below(other, each) for other in errors):
            continue  # the list stopped at its first wrong item, and is not short for that
        cause = each.get("ctx", {}).get("error")
        if isinstance(cause, BrokenRulesError):
            for rule in cause.rules[:MOST_FAULTS]:
                yield Fault(_pointer((*each["loc"], *rule.path)), rule.code, rule.reason)
        else:
            yield Fault(_pointer(_place(each)), each["type"].replace("_", "-"), sentence_for(each))


def _is_below(error: ErrorDetails, other: ErrorDetails) -> bool:
    depth = len(other["loc"])
    return len(error["loc"]) > depth and error["loc"][:depth] == other["loc"]


def _place(error: ErrorDetails) -> Path:
    """Return where an error is. A member that may not be there is named only if it looks like a name."""
    place = error["loc"]
    if error["type"] == "extra_forbidden" and not _MEMBER_NAME.fullmatch(str(place[-1])):
        return place[:-1]
    return place


_MEMBER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def _pointer(path: Path) -> str:
    pointer = ""
    for step in path:
        if len(pointer) + len(escaped(step)) > MOST_POINTER:
            break
        pointer += escaped(step)
    return pointer


_UNKNOWN_TYPE: Final = Fault(
    "/type",
    "unknown-type",
    Bilingual(fr="Il n'existe pas de tel type d'alerte.", en="There is no such type of alert."),
)
_WITHOUT_TYPE: Final = Fault(
    "/type", "missing", Bilingual(fr="Une alerte doit dire son type.", en="An alert must say its type.")
)
_NO_OBJECT: Final = Fault(
    "", "no-object", Bilingual(fr="Une alerte est un objet JSON.", en="An alert is a JSON object.")
)
