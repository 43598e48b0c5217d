"""The narrative's page: what a person sees of it on a screen, a telephone and paper."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path
from typing import Final

import pytest
from lxml.html import HtmlElement, fromstring

from audit.evidence.bundle import open_bundle
from gateway.narrative.page import narrative_page, visible

_HIDING: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
GOLDEN: Final = Path(__file__).parents[2] / "golden" / "evidence" / "v2"


@pytest.fixture(scope="module")
def page() -> HtmlElement:
    """Return the page of a bundle with consents, withheld copies and a suspended agreement."""
    written = narrative_page(open_bundle((GOLDEN / "bundle.zip").read_bytes()))
    return fromstring(written.decode("utf-8"))


def test_each_language_leads_to_the_other(page: HtmlElement) -> None:
    """Each part says its language, and a link at its head leads to the other, named in its own."""
    parts = {part.get("id"): part for part in page.findall(".//section")}
    assert {name: part.get("lang") for name, part in parts.items()} == {"fr": "fr-CA", "en": "en-CA"}
    links = {name: [(link.get("href"), link.text) for link in part.iter("a")] for name, part in parts.items()}
    assert links == {"fr": [("#en", "English")], "en": [("#fr", "Français")]}


def test_a_cell_says_what_it_is_without_its_column(page: HtmlElement) -> None:
    """Where rows stand one below the other, each cell still says under which head it stood."""
    tables = [table for table in page.iter("table") if table.find("thead") is not None]
    assert len(tables) > 6
    for table in tables:
        heads = [head.text_content() for head in table.iter("th")]
        for row in table.find("tbody"):
            assert [cell.get("data-head") for cell in row] == heads


def test_an_instant_is_never_broken(page: HtmlElement) -> None:
    """Every instant in a table is marked as one, whole, and a reference to a clause may break before its parts."""
    (chronology,) = [
        table for table in page.iter("table") if table.findtext("thead/tr/th") == "The exchange's time (UTC)"
    ]
    for row in chronology.find("tbody"):
        assert row[0].find("bdi/time").text == row[0].text_content()
    clauses = [cell.find("bdi") for cell in page.iter("td") if cell.get("data-head") == "Clause"]
    told = [each.text_content() for each in clauses if each.text_content()]
    assert told
    assert all(each.text_content().count("/") + each.text_content().count("#") == len(each) for each in clauses)


def test_each_half_is_in_its_language_alone(page: HtmlElement) -> None:
    """What a partner acknowledged is told in the words of each half, not in those of the wire."""
    french, english = page.findall(".//section")
    told = {"fr": french.text_content(), "en": english.text_content()}
    assert "Accusé de réception" not in told["en"]
    assert ", received" not in told["fr"]


def test_it_fits_a_telephone_and_numbers_its_sheets(page: HtmlElement) -> None:
    """The page is drawn as wide as the screen, and every printed sheet says which of how many it is."""
    (viewport,) = [meta for meta in page.iter("meta") if meta.get("name") == "viewport"]
    assert viewport.get("content") == "width=device-width, initial-scale=1"
    style = page.findtext("head/style")
    assert "counter(page)" in style
    assert "counter(pages)" in style


def test_whatever_hides_or_turns_around_is_shown() -> None:
    """Each character that this Python knows to be of such a kind is written as its code point, and letters are not."""
    for each in map(chr, range(sys.maxunicode + 1)):
        category = unicodedata.category(each)
        if category in _HIDING:
            assert visible(each) == f"[U+{ord(each):04X}]"
        elif category != "Cn":
            assert visible(each) == each


def test_a_letter_of_a_later_unicode_is_left_as_it_is() -> None:
    """Whether this Python knows it or not: the same evidence has the same narrative wherever it is written."""
    for later in ("\U0001fae8", "\U0001fa89", "\U000113d1", "\u1c8a"):  # of Unicode 15 and 16
        assert visible(later) == later
    for never in ("\ufdd0", "\U0001ffff", "\U000e0fff"):
        assert visible(never).startswith("[U+")
