"""YAML as people write it here: configuration and agreements, every value with the line it stands on.

The part of YAML 1.2 that says what JSON says, and nothing that surprises. A plain scalar is ``null``, ``true``,
``false`` or a number exactly where JSON would read it so (YAML 1.2.2 section 10.2), and text everywhere else: ``no``,
``on``, ``2026-01-17``, ``0123`` and ``0x1F`` are text. A value left empty, or ``~``, is null. Refused: equal keys, keys
that are no scalars, anchors, aliases, merge keys, tags, several documents, nesting deeper than 32, integers beyond
±(2^53-1), numbers no double can hold, NUL.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import yaml
from pydantic import ValidationError
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from yaml.reader import ReaderError

from schemas.bilingual import Bilingual, Language
from schemas.faults import sentence_for
from schemas.signing.strict_json import MAX_INTEGER, JsonValue

Path: TypeAlias = tuple[str | int, ...]
"""Where in a document: names of members and positions in lists, from the root."""


class YamlError(Exception):
    """One thing wrong with a document: in which ``file``, on which ``line`` (from 1), at which ``path``, and why.

    As text it is ``file:line: path: reason``; the path is left out where it is the whole document.
    """

    def __init__(self, file: str, line: int, path: Path, reason: Bilingual) -> None:
        super().__init__(file, line, path, reason)
        self.file = file
        self.line = line
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return self.in_language("en")

    def in_language(self, language: Language) -> str:
        """Return the text in one language."""
        place = f"{path_text(self.path)}: " if self.path else ""
        return f"{self.file}:{self.line}: {place}{self.reason.in_language(language)}"


@dataclass(frozen=True, slots=True)
class LocatedDocument:
    """What a YAML text says, and on which line it says it."""

    file: str
    value: JsonValue
    _lines: Mapping[Path, int] = field(repr=False)

    def line_of(self, path: Path) -> int:
        """Return the line (from 1) of a member or list item; of the nearest thing around it where it is missing."""
        while path not in self._lines and path:
            path = path[:-1]
        return self._lines[path]

    def error(self, path: Path, reason: Bilingual) -> YamlError:
        """Return what a reader of the value found wrong at ``path``, as an error that names its file and line."""
        return YamlError(self.file, self.line_of(path), path, reason)


def load_yaml(text: str, *, file: str) -> LocatedDocument:
    """Return the one document of a YAML text; ``file`` is its name in problems. Raises ``YamlError``."""
    reading = _Reading(file)
    try:
        value = reading.document(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlError(file, line, (), _not_yaml(error.problem)) from None
    except ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise YamlError(file, line, (), _not_yaml(error.reason)) from None
    return LocatedDocument(file, value, reading.lines)


def errors_of(
    document: LocatedDocument, error: ValidationError, *, tags: Collection[str] = ()
) -> tuple[YamlError, ...]:
    """Return everything that a model found wrong with the document, at its place, without the values themselves.

    ``tags`` are the members by which the model's tagged unions tell their types apart.
    """
    faults = error.errors(include_url=False, include_input=False)
    return tuple(document.error(_path_in(document.value, fault["loc"], tags), sentence_for(fault)) for fault in faults)


def path_text(path: Path) -> str:
    """Return a path as a person writes it: ``grants[0].conditions``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _path_in(value: JsonValue, loc: Path, tags: Collection[str]) -> Path:
    """Return pydantic's location without the union tags that it adds and no document holds."""
    path: list[str | int] = []
    tagged: JsonValue = None
    for index, step in enumerate(loc):
        if isinstance(value, dict) and value is not tagged and any(value.get(tag) == step for tag in tags):
            tagged = value  # a tag comes once for an object, before its members, one of which may be called the same
            continue
        match value, step:
            case dict(), str() if step in value:
                value = value[step]
            case list(), int() if step < len(value):
                value = value[step]
            case _, _ if index < len(loc) - 1:
                continue
            case _, _:
                pass
        path.append(step)
    return tuple(path)


class _Reading:
    """Turns the events of one text into its value, and notes the lines."""

    def __init__(self, file: str) -> None:
        self.lines: dict[Path, int] = {}
        self._file = file

    def document(self, events: Iterator[Event]) -> JsonValue:
        value: JsonValue = None
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refused(event, (), _SECOND_DOCUMENT)
            elif isinstance(event, NodeEvent):
                value = self._node(event, events, ())
        self.lines.setdefault((), 1)  # an empty file
        return value

    def _node(self, event: Event, events: Iterator[Event], path: Path) -> JsonValue:
        self.lines.setdefault(path, _line(event))
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise self._refused(event, path, _ANCHOR)
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            raise self._refused(event, path, _TAG)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= _MAX_DEPTH:
            raise self._refused(event, path, _TOO_DEEP)
        return self._mapping(events, path) if isinstance(event, MappingStartEvent) else self._sequence(events, path)

    def _mapping(self, events: Iterator[Event], path: Path) -> JsonValue:
        members: dict[str, JsonValue] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            name = self._key(event, path)
            if name in members:
                raise self._refused(event, (*path, name), _TWICE)
            self.lines[*path, name] = _line(event)
            members[name] = self._node(next(events), events, (*path, name))
        return members

    def _sequence(self, events: Iterator[Event], path: Path) -> JsonValue:
        items: list[JsonValue] = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _key(self, event: Event, path: Path) -> str:
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise self._refused(event, path, _ANCHOR)
        if not isinstance(event, ScalarEvent):
            raise self._refused(event, path, _KEY)
        if event.tag is not None:
            raise self._refused(event, path, _TAG)
        if event.implicit[0] and event.value == "<<":
            raise self._refused(event, path, _MERGE)
        return self._text(event, path)

    def _scalar(self, event: ScalarEvent, path: Path) -> JsonValue:
        if not event.implicit[0]:
            return self._text(event, path)
        if event.value in _CONSTANTS:
            return _CONSTANTS[event.value]
        if not _NUMBER.fullmatch(event.value):
            return self._text(event, path)
        if _INTEGER.fullmatch(event.value):
            # Seventeen characters hold a sign and every integer in range; int() is quadratic in its digits.
            if len(event.value) > 17 or abs(int(event.value)) > MAX_INTEGER:  # noqa: PLR2004 - explained above
                raise self._refused(event, path, _LARGE)
            return int(event.value)
        if not math.isfinite(float(event.value)):
            raise self._refused(event, path, _LARGE)
        return float(event.value)

    def _text(self, event: ScalarEvent, path: Path) -> str:
        if "\x00" in event.value:
            raise self._refused(event, path, _NUL)
        return str(event.value)

    def _refused(self, event: Event, path: Path, reason: Bilingual) -> YamlError:
        return YamlError(self._file, _line(event), path, reason)


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


_MAX_DEPTH: Final = 32
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: Final[Mapping[str, bool | None]] = {"": None, "~": None, "null": None, "true": True, "false": False}


def _not_yaml(detail: str | None) -> Bilingual:
    # libyaml's own words: constants of the parser, which never repeat what was written
    suffix = f" ({detail})" if detail else ""
    return Bilingual(fr=f"Ce n'est pas du YAML valide{suffix}.", en=f"This is not valid YAML{suffix}.")


_SECOND_DOCUMENT: Final = Bilingual(fr="Un seul document par fichier.", en="There must be one document in a file.")
_ANCHOR: Final = Bilingual(
    fr="Les ancres et les alias ne sont pas permis : écrivez la valeur là où elle vaut.",
    en="Anchors and aliases are not allowed: write the value where it counts.",
)
_MERGE: Final = Bilingual(fr="La clé de fusion « << » n'est pas permise.", en='The merge key "<<" is not allowed.')
_TAG: Final = Bilingual(
    fr="Les étiquettes « ! » ne sont pas permises. Pour du texte, mettez des guillemets.",
    en='Tags "!" are not allowed. For text, use quotes.',
)
_KEY: Final = Bilingual(fr="La clé d'un membre doit être un texte simple.", en="A member's key must be simple text.")
_TWICE: Final = Bilingual(fr="Cette clé figure deux fois.", en="This key occurs twice.")
_TOO_DEEP: Final = Bilingual(fr="Ce document est imbriqué trop profondément.", en="This document is nested too deeply.")
_LARGE: Final = Bilingual(
    fr="Ce nombre est trop grand. Pour du texte, mettez des guillemets.",
    en="This number is too large. For text, use quotes.",
)
_NUL: Final = Bilingual(fr="Ce texte contient le caractère NUL.", en="This text contains the character NUL.")
