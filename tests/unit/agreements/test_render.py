"""The agreement in words: complete, in one language, to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from agreements.render import render
from agreements.written import read_agreement
from schemas.bilingual import Bilingual, Language
from tests.unit.agreements.builders import agreement, condition, document, grant

NAMES = {
    "CA-QC": Bilingual(fr="Québec", en="Québec"),
    "US-NY": Bilingual(fr="État de New York", en="State of New York"),
    "us-ny.nysp": Bilingual(fr="Police de l'État de New York", en="New York State Police"),
}

SHORT = document(
    {**grant("2.1", condition("urgency", "Immediate"), lane="urgent"), "to": ["us-ny.nysp"]},
    title={"fr": "Entente d'essai", "en": "Test agreement"},
    purpose={"fr": "Essayer.", "en": "To test."},
    legal_basis={"fr": "Loi, art. 1.", "en": "Act, s. 1."},
    privacy_assessment={"fr": "Faite.", "en": "Done."},
    contacts=[{"party": "CA-QC", "office": {"fr": "Bureau", "en": "Office"}, "email": "a@example.org"}],
)

ENGLISH = """\
# Test agreement

- Agreement: `ca-qc.us-ny.test`, version 1
- Parties: Québec (`CA-QC`), State of New York (`US-NY`)
- In force: from January 1, 2026 at 00:00:00 (UTC) until January 1, 2027 at 00:00:00 (UTC), this last instant excluded

## Purpose

To test.

## Legal basis

Act, s. 1.

## Privacy impact assessment

Done.

## Contacts

- Québec (`CA-QC`): Office, a@example.org

## What the parties permit

Nothing is passed on but what a clause permits.

### Clause 2.1

May send: Québec (`CA-QC`). May receive: New York State Police (`us-ny.nysp`). Alerts covered: Public warning \
(`emergency-management/public-warning/v1`).

On all of the following conditions:

- The alert's status is actual.
- The alert's TLP label is at most TLP:AMBER.
- In every info block, urgency is immediate.

The alert travels in the urgent lane.
"""


def test_in_english() -> None:
    """Everything that the document says is there, in English alone."""
    assert render(agreement(SHORT), "en", names=NAMES) == ENGLISH


def test_in_french() -> None:
    """The French rendering has the same parts, in French alone."""
    french = render(agreement(SHORT), "fr", names=NAMES)
    assert len(french.splitlines()) == len(ENGLISH.splitlines())
    for words in (
        "# Entente d'essai",
        "- En vigueur : du 1er janvier 2026 à 00:00:00 (UTC) au 1er janvier 2027 à 00:00:00 (UTC), ce dernier instant",
        "## Évaluation des facteurs relatifs à la vie privée",
        "- Québec (`CA-QC`) : Bureau, a@example.org",
        "Peuvent recevoir : Police de l'État de New York (`us-ny.nysp`).",
        "À toutes les conditions suivantes :",
        "- Dans chaque bloc d'information, l'urgence est : immédiate.",
        "L'alerte emprunte la voie urgente.",
    ):
        assert words in french


def test_regions_and_obligations_are_shown() -> None:
    """A document's regions stand there with every code and corner, each obligation as a sentence, by its name."""
    region = {
        "name": "lake",
        "fr": "Le lac *",
        "en": "The lake *",
        "polygon": ["45,-74 45,-73 46,-73 45,-74"],
        "codes": [{"scheme": "SGC", "in": ["24", "35"]}],
    }
    clause = grant("1.1", {"condition": "area", "regions": ["lake"]})
    clause["obligations"] = [
        {"obligation": "retention", "days": 30},
        {"obligation": "copy-to", "participants": ["us-ny.nysp"]},
    ]
    text = render(agreement(document(clause, regions=[region])), "en", names=NAMES)
    assert (
        """
## Regions

- The lake \\* (`lake`): SGC `24`, `35`; `45,-74 45,-73 46,-73 45,-74`

"""
        in text
    )
    assert "- Every area of every info block lies wholly within The lake \\* (`lake`)." in text
    assert text.endswith("""
The alert travels in the routine lane.

With the following obligations:

- The recipient keeps the alert for at most 30 days from its acceptance.
- Also told of every alert that this clause lets through: New York State Police (`us-ny.nysp`).
""")


def test_what_has_no_name_stands_as_its_code() -> None:
    """Without names the codes that are executed still say everything."""
    assert "May send: `CA-QC`. May receive: `us-ny.nysp`." in render(agreement(SHORT), "en")


def test_prose_is_shown_to_the_letter() -> None:
    """What CommonMark would take for markup is escaped: no part of what is signed can be hidden."""
    value = {**SHORT, "purpose": {"fr": "<!-- tout -->", "en": "<!-- all --> *or* [none](x) `a`"}}
    assert r"\<!-- all --\> \*or\* \[none\](x) \`a\`" in render(agreement(value), "en")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_samples_render(samples: Path, language: Language) -> None:
    """Every sample agreement reads in both languages, each of its clauses under its number."""
    for path in samples.glob("agreements/*.yaml"):
        read = read_agreement(path.read_text(), file=path.name)
        text = render(read, language)
        assert text.count("### Clause ") == len(read.grants)
        assert read.title.bilingual.in_language(language) in text
