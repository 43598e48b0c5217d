"""The narrative as one HTML page that prints well: French, then English; no script, nothing fetched, all escaped.

lxml writes the elements, so a text stays a text. What a text could hide or turn around (control characters, those that
change the direction of writing) is shown as its code point, and each text of others stands in a ``bdi`` of its own.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final

from lxml.html import HtmlElement, tostring
from lxml.html import builder as html

from audit.evidence.bundle import Bundle
from gateway.narrative import words
from gateway.narrative.story import Section, Words, sections
from schemas.bilingual import Language

_LANGUAGES: Final[tuple[Language, ...]] = ("fr", "en")
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_HIDING: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bcaf\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U0010ffff"
    f"{''.join(f'{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}' for plane in range(0x10000, 0xE0000, 0x10000))}]"
)
"""Controls, formats (those that turn the writing around among them), separators of lines, surrogates, private use and
what is no character; also where these may be in later versions of Unicode. Written out, for of the same evidence every
Python must write the same narrative, and each knows another version of Unicode."""
_SEAM: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))|(?<=\w)(?=[/#])", re.ASCII
)
"""An instant (RFC 3339), or the place in a long reference, such as a clause's, where a line may end."""


def narrative_page(bundle: Bundle) -> bytes:
    """Return the page, in UTF-8. Raises ``AuditError`` for a bundle whose words can't be read."""
    told = tuple(sections(bundle))
    alert_id = bundle.evidence.alert_id
    page: HtmlElement = html.HTML(
        html.HEAD(
            html.META({"charset": "utf-8"}),
            html.META({"http-equiv": "Content-Security-Policy", "content": _POLICY}),
            html.META({"name": "referrer", "content": "no-referrer"}),
            html.META({"name": "viewport", "content": "width=device-width, initial-scale=1"}),
            html.TITLE(f"{words.TITLE.fr} / {words.TITLE.en} - {alert_id}"),
            html.STYLE(_style()),
        ),
        html.BODY(*(_in_language(told, language, alert_id) for language in _LANGUAGES)),
        {"lang": "fr-CA"},
    )
    return bytes(tostring(page, encoding="utf-8", doctype="<!DOCTYPE html>")) + b"\n"


def visible(text: str) -> str:
    """Return a text in which whatever hides, breaks or turns around is shown as its code point."""
    return _HIDING.sub(lambda found: f"[U+{ord(found[0]):04X}]", text)


def _in_language(told: tuple[Section, ...], language: Language, alert_id: str) -> HtmlElement:
    return html.SECTION(
        *(_link_to(other) for other in _LANGUAGES if other != language),
        html.H1(words.TITLE.in_language(language), html.SMALL(alert_id)),
        html.P(words.LEAD.in_language(language), html.CLASS("lead")),
        *(element for section in told for element in _section(section, language)),
        {"lang": f"{language}-CA", "id": language},
    )


def _link_to(other: Language) -> HtmlElement:
    there = html.A(words.ITSELF[other], {"href": f"#{other}", "lang": f"{other}-CA", "hreflang": f"{other}-CA"})
    return html.P(there, html.CLASS("other"))


def _section(section: Section, language: Language) -> list[HtmlElement]:
    elements = [html.H2(section.title.in_language(language))]
    if section.rows:
        elements.append(_table(section, language))
    if section.paragraphs:
        elements.append(html.UL(*(html.LI(_said(each, language)) for each in section.paragraphs)))
    if section.verbatim:
        lines = section.verbatim.split("\n")
        elements.append(html.PRE("\n".join(visible(line) for line in lines)))
    if len(elements) == 1:
        elements.append(html.P(words.NOTHING.in_language(language)))
    return elements


def _table(section: Section, language: Language) -> HtmlElement:
    body = html.TBODY(*(html.TR(*_cells(section, row, language)) for row in section.rows))
    if not section.heads:
        return html.TABLE(body, html.CLASS("facts"))
    heads = html.TR(*(html.TH({"scope": "col"}, head.in_language(language)) for head in section.heads))
    return html.TABLE(html.THEAD(heads), body)


def _cells(section: Section, row: tuple[Words, ...], language: Language) -> list[HtmlElement]:
    """Return a row's cells; under heads each names its own, for where there is no room for columns."""
    said = [_said(each, language) for each in row]
    if not section.heads:
        return [html.TH({"scope": "row"}, said[0]), *(html.TD(each) for each in said[1:])]
    heads = [head.in_language(language) for head in section.heads]
    return [html.TD({"data-head": head}, each) for head, each in zip(heads, said, strict=True)]


def _said(text: Words, language: Language) -> HtmlElement:
    """Return a text that breaks between lines where a person would break it: never within an instant."""
    shown = visible(text if isinstance(text, str) else text.in_language(language))
    return html.BDI(*(_piece(each) for each in _SEAM.split(shown)))


def _piece(piece: str | None) -> HtmlElement | str:
    if piece is None:  # a seam without a text of its own
        return html.E.wbr()
    return html.E.time(piece) if _SEAM.fullmatch(piece) else piece


@cache
def _style() -> str:
    return resources.files("gateway.narrative").joinpath("page.css").read_text(encoding="utf-8")
