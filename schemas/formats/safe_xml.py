"""Reading XML that a stranger wrote: bounded in size, without entities, without a DOCTYPE, without network.

A hardened parser still reads a document type declaration, and with it default attributes and entities; no alert needs
one, so its mere presence refuses the document. Nesting and the growth of entities are bounded by libxml2 itself.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from lxml import etree

from schemas.bilingual import Bilingual

Element: TypeAlias = etree._Element  # noqa: SLF001 - lxml has no public name for what all its functions return

MOST_BYTES: Final = 5 * 1024 * 1024
"""How large a document may be: as much as Canada's national alert system (NAAD) takes."""

MOST_TAGS: Final = 200_000
"""How many tags a document may have; a tree takes many times the memory of the tags that it is written with."""

MOST_PROLOGUE: Final = 16 * 1024
"""How many bytes may pass before the root element has begun."""


class XmlError(Exception):
    """The bytes are not XML, or not XML that is read here. ``line`` counts from one, where it is known."""

    def __init__(self, code: str, reason: Bilingual, line: int | None = None) -> None:
        super().__init__(reason.en)
        self.code = code
        self.reason = reason
        self.line = line


def parse_xml(data: bytes) -> Element:
    """Return the root element of a document. Comments and processing instructions stay in the tree.

    Raises ``XmlError``. Memory and time stay within a small multiple of the size of ``data``.
    """
    if len(data) > MOST_BYTES or data.count(b"<") > MOST_TAGS:
        raise XmlError("xml-too-large", _TOO_LARGE)
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    try:
        parser.feed(data[:MOST_PROLOGUE])
        begun = cast("Element | None", next((element for _, element in parser.read_events()), None))
        if begun is not None:
            _refuse_doctype(begun)
        elif len(data) > MOST_PROLOGUE:
            raise XmlError("no-root-element", _NO_ROOT)
        parser.feed(data[MOST_PROLOGUE:])
        root = parser.close()
    except etree.XMLSyntaxError as error:
        raise XmlError("not-well-formed", _NOT_WELL_FORMED, error.lineno) from None
    _refuse_doctype(root)
    return root


def line_of(element: Element) -> int | None:
    """Return the line that an element begins on, counted from one, or None where it was never read from a text."""
    line: object = element.sourceline
    return line if isinstance(line, int) else None


def _refuse_doctype(root: Element) -> None:
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("doctype", _DOCTYPE)


_TOO_LARGE: Final = Bilingual(fr="Ce document XML est trop volumineux.", en="This XML document is too large.")
_NO_ROOT: Final = Bilingual(
    fr="Ce document XML ne commence par aucun élément.", en="This XML document does not begin with an element."
)
_DOCTYPE: Final = Bilingual(fr="Une déclaration DOCTYPE n'est pas admise.", en="A DOCTYPE declaration is not accepted.")
_NOT_WELL_FORMED: Final = Bilingual(fr="Ce document n'est pas du XML bien formé.", en="This is not well-formed XML.")
