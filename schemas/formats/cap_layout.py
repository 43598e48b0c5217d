"""The layouts in which a signed CAP message may have been before somebody indented it anew.

Whitespace between elements says nothing in CAP, and a signature covers it all the same. These are the layouts that
signers in the field sign in; each is a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final

from lxml import etree

from schemas.formats.safe_xml import Element

_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"


def content_layouts(alert: Element, signature: Element) -> Iterator[Element]:
    """Yield the message as it may have been when it was signed.

    First as the standard has it. Then as if each signature had been made beside the others, as in Canada, where the
    relay signs next to the agency; as it is, without any whitespace, and indented by two and by four.
    """
    position = list(alert.iterchildren(_SIGNATURE)).index(signature)
    alone = copy.deepcopy(alert)
    _remove(list(alone.iterchildren(_SIGNATURE))[position])
    yield alone
    bare = copy.deepcopy(alert)
    for each in list(bare.iterchildren(_SIGNATURE)):
        _remove(each)
    yield bare
    _strip(bare)
    yield bare
    for unit in ("  ", "    "):
        etree.indent(bare, space=unit)
        yield bare


def signature_layouts(signature: Element) -> Iterator[Element]:
    """Yield a signature as received, without whitespace, and with line feeds between its elements, as Java has it."""
    for unit in (None, "", "\n"):
        candidate = copy.deepcopy(signature)
        candidate.tail = None
        if unit is not None:
            _strip(candidate)
        if unit:
            etree.indent(candidate, space="")
        yield candidate


def _strip(element: Element) -> None:
    """Take away the whitespace between elements; a text of whitespace stays."""
    for each in element.iter():
        if len(each) and not (each.text or "").strip():
            each.text = None
        if each is not element and not (each.tail or "").strip():
            each.tail = None


def _remove(element: Element) -> None:
    """Take an element out and leave the text after it where it is."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if before is None:
        parent.text = (parent.text or "") + (element.tail or "")
    else:
        before.tail = (before.tail or "") + (element.tail or "")
    parent.remove(element)
