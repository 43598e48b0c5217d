"""A CAP message held against its grammar: order, number and types of its elements, as the schema of OASIS has them.

The result is a tree of plain texts, free of the parser. Every element keeps its place, so that a fault can point to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from schemas.alerts.catalogue import MOST_FAULTS, Fault
from schemas.bilingual import Bilingual
from schemas.formats.cap_grammar import CAP_12, GRAMMARS, Row
from schemas.formats.safe_xml import Element, line_of

DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
MOST_REPEATED: Final = 4_096
"""How often an element may stand that CAP lets stand any number of times."""

_SPACE: Final = " \t\r\n"
_INSTANCE: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_LOCATION_HINTS: Final = frozenset({f"{_INSTANCE}schemaLocation", f"{_INSTANCE}noNamespaceSchemaLocation"})
"""The only attributes that may stand on an element of CAP: they say nothing to a reader who knows the schema."""


@dataclass(frozen=True, slots=True)
class Node:
    """An element of a CAP message. Two are equal where they say the same, wherever they stand."""

    name: str
    text: str
    children: tuple[Node, ...]
    path: str = field(compare=False)
    line: int | None = field(compare=False)

    def all(self, name: str) -> tuple[Node, ...]:
        """Return the children of a name, in order."""
        return tuple(child for child in self.children if child.name == name)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of the children of a name, in order."""
        return tuple(child.text for child in self.children if child.name == name)

    def get(self, name: str) -> str | None:
        """Return the text of the only child of a name, or None."""
        return next(iter(self.texts(name)), None)

    def fault(self, code: str, message: Bilingual, *, below: str = "") -> Fault:
        """Return a fault at this element, or at a child that it lacks."""
        return Fault(self.path + below, code, message, self.line)


@dataclass(frozen=True, slots=True)
class Tree:
    """What a message says, the XML signatures it bears, and what is wrong with its form."""

    alert: Node
    signatures: tuple[Element, ...]
    faults: tuple[Fault, ...]


def read_tree(root: Element) -> Tree:
    """Return a message of CAP 1.2 or 1.1 as its grammar reads it. Never raises: what is wrong is among the faults."""
    version, name = _split(root)
    grammar = GRAMMARS.get(version)
    if grammar is None or name != grammar.name:
        nothing = Node("", "", (), "/", line_of(root))
        return Tree(nothing, (), (nothing.fault("not-cap", _NOT_CAP),))
    reading = _Reading(version)
    alert = reading.node(root, grammar, "/alert")
    signatures = tuple(root.iterchildren(f"{{{DSIG}}}Signature"))
    return Tree(alert, signatures, tuple(reading.faults))


@dataclass(slots=True)
class _Reading:
    version: str
    faults: list[Fault] = field(default_factory=list)

    def _note(self, fault: Fault) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)

    def node(self, element: Element, row: Row, path: str) -> Node:
        place = Node(row.name, "", (), path, line_of(element))
        if not _LOCATION_HINTS.issuperset(element.attrib):
            self._note(place.fault("attribute", _ATTRIBUTE))
        if row.rows:
            if any(text.strip(_SPACE) for text in _own_texts(element)):
                self._note(place.fault("text-between-elements", _TEXT_BETWEEN))
            return Node(row.name, "", tuple(self._children(element, row.rows, place)), path, line_of(element))
        if next(element.iterchildren(tag=etree.Element), None) is not None:
            self._note(place.fault("element-in-text", _ELEMENT_IN_TEXT))
        raw = "".join(_own_texts(element))
        text = row.text(raw) if len(raw) <= row.longest else None
        if text is None:
            too_long = len(raw) > row.longest
            self._note(place.fault("too-long", _TOO_LONG) if too_long else place.fault("not-of-its-type", _OF_NO_TYPE))
        return Node(row.name, text or "", (), path, line_of(element))

    def _children(self, element: Element, rows: Sequence[Row], place: Node) -> Iterator[Node]:
        counts = dict.fromkeys((row.name for row in rows), 0)
        reached = 0
        for position, child in enumerate(element.iterchildren(tag=etree.Element), start=1):
            if len(self.faults) >= MOST_FAULTS:
                return
            index = self._row_of(child, rows, reached, top=place.path == "/alert")
            if index is None:
                self._note(
                    Node("", "", (), f"{place.path}/*[{position}]", line_of(child)).fault("misplaced", _MISPLACED)
                )
                continue
            reached = index
            if index == len(rows):
                continue
            row = rows[index]
            counts[row.name] += 1
            path = f"{place.path}/{row.name}" + ("" if row.most == 1 else f"[{counts[row.name]}]")
            node = self.node(child, row, path)
            if counts[row.name] > (row.most or MOST_REPEATED):
                self._note(node.fault("repeated", _REPEATED))
            yield node
        for row in rows:
            if counts[row.name] < row.least:
                self._note(place.fault("missing", _MISSING, below=f"/{row.name}"))

    def _row_of(self, child: Element, rows: Sequence[Row], reached: int, *, top: bool) -> int | None:
        """Return the row of a child, not before the one reached; past the last one for a signature of CAP 1.2."""
        namespace, name = _split(child)
        if namespace == self.version:
            return next((index for index in range(reached, len(rows)) if rows[index].name == name), None)
        signature = (namespace, name) == (DSIG, "Signature")
        return len(rows) if top and signature and self.version == CAP_12 else None


def _split(element: Element) -> tuple[str, str]:
    name = etree.QName(element)
    return name.namespace or "", name.localname


def _own_texts(element: Element) -> Iterator[str]:
    """Yield the texts directly in an element: comments and processing instructions part them and say nothing."""
    yield element.text or ""
    for child in element:
        yield child.tail or ""


_NOT_CAP: Final = Bilingual(
    fr="Ce document n'est pas une alerte du PAC 1.2 ou 1.1.", en="This document is not a CAP 1.2 or 1.1 alert."
)
_ATTRIBUTE: Final = Bilingual(fr="Les éléments du PAC n'ont pas d'attributs.", en="Elements of CAP have no attributes.")
_TEXT_BETWEEN: Final = Bilingual(
    fr="Il ne doit pas y avoir de texte entre ces éléments.", en="There must be no text between these elements."
)
_ELEMENT_IN_TEXT: Final = Bilingual(
    fr="Cet élément ne doit contenir que du texte.", en="This element must hold nothing but text."
)
_OF_NO_TYPE: Final = Bilingual(
    fr="Ce texte n'est pas de la forme ou parmi les valeurs que le PAC prévoit ici.",
    en="This text has not the form, or is not among the values, that CAP gives it here.",
)
_MISPLACED: Final = Bilingual(
    fr="Le PAC ne prévoit pas cet élément à cet endroit, ou pas dans cet ordre.",
    en="CAP has no such element here, or not in this order.",
)
_REPEATED: Final = Bilingual(fr="Cet élément est présent trop de fois.", en="This element stands too many times.")
_TOO_LONG: Final = Bilingual(fr="Ce texte est trop long.", en="This text is too long.")
_MISSING: Final = Bilingual(fr="Cet élément est requis.", en="This element is required.")
