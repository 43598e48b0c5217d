"""Settings from the environment, over those of the file: ``LACOLLE_LISTEN__PORT=9443`` is ``listen: {port: 9443}``.

A variable's name is ``LACOLLE_`` and the member's path in upper case, two underscores between its steps; its value is
read as YAML, so ``[a, b]`` is a list. One that is empty counts as not set. A name with two underscores must be a
setting's; ``LACOLLE_`` and a single word that is no setting's belongs to the client's commands (``LACOLLE_URL``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final

from pydantic import ValidationError

from schemas.bilingual import Bilingual
from schemas.located_yaml import LocatedDocument, Path, YamlError, errors_of, load_yaml
from schemas.signing.strict_json import JsonValue

PREFIX: Final = "LACOLLE_"
_BETWEEN: Final = "__"


@dataclass(frozen=True, slots=True)
class Overlaid:
    """A settings document with the environment's values in it; ``variables`` says which value is whose."""

    document: LocatedDocument
    variables: Mapping[Path, str]

    def errors_of(self, error: ValidationError) -> tuple[YamlError, ...]:
        """Return what a model found wrong, each where it was written: in the file, or in a variable."""
        return tuple(self._placed(fault) for fault in errors_of(self.document, error))

    def _placed(self, fault: YamlError) -> YamlError:
        for path, variable in self.variables.items():
            if fault.path[: len(path)] == path:
                return YamlError(variable, 1, fault.path, fault.reason)
        return fault


def overlaid(document: LocatedDocument, environment: Mapping[str, str], members: Collection[str]) -> Overlaid:
    """Return a document with the environment over it; ``members`` are the names that settings have at the top.

    Raises ``YamlError`` for a value that is no YAML, and for a name that can't be a setting's.
    """
    if not isinstance(document.value, dict):
        return Overlaid(document, {})  # what it is instead, the model says
    value, variables = deepcopy(document.value), dict[Path, str]()
    for name in sorted(environment):
        path = path_of(name, members)
        if path and environment[name]:
            _put(value, path, load_yaml(environment[name], file=name).value)
            variables[path] = name
    return Overlaid(replace(document, value=value), variables)


def path_of(name: str, members: Collection[str]) -> tuple[str, ...]:
    """Return the path of the setting that a variable names; () for a variable that is no setting's business.

    Raises ``YamlError`` for a name that has the form of a setting's and is none.
    """
    if not name.startswith(PREFIX):
        return ()
    path = tuple(name.removeprefix(PREFIX).lower().split(_BETWEEN))
    if path[0] in members:
        return path
    if len(path) > 1:
        raise YamlError(name, 1, (), _NO_SETTING)
    return ()


def _put(value: dict[str, JsonValue], path: tuple[str, ...], what: JsonValue) -> None:
    *way, last = path
    for step in way:
        inner = value.get(step)
        if not isinstance(inner, dict):
            inner = value[step] = {}
        value = inner
    value[last] = what


_NO_SETTING: Final = Bilingual(
    fr="Cette variable d'environnement ne nomme aucun réglage : corrigez son nom, ou retirez-la.",
    en="This environment variable names no setting: correct its name, or remove it.",
)
