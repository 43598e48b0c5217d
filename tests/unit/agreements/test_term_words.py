"""A permit's terms in words: a sentence for each thing that they oblige to, in both languages, and none for nothing."""

from __future__ import annotations

from agreements.term_words import terms_in_words
from schemas.decisions import NO_TERMS, Onward, Terms, Treatment, Withholding
from tests.unit.agreements.builders import ref


def test_terms_that_oblige_to_nothing_say_nothing() -> None:
    """There is no sentence where there is no obligation."""
    assert terms_in_words(NO_TERMS) == ()


def test_each_obligation_has_its_sentence() -> None:
    """What is withheld is named by its class or its place; deadlines, retention, consent and the rest follow."""
    terms = Terms(
        withholdings=(
            Withholding("/body/person/birthDate", Treatment.YEAR, "", ref()),
            Withholding("/body/person/name", Treatment.PSEUDONYM, "identifying", ref()),
            Withholding("/body/person/city", Treatment.REGION, "", ref()),
            Withholding("/info/*/description", Treatment.REDACT, "", ref()),
            Withholding("/body/condition", Treatment.REDACT, "health", ref()),
        ),
        deliver_within=300,
        acknowledge_within=3600,
        retain_days=30,
        onward=Onward.FORBIDDEN,
        consent_by=("CA", "us-ny.doh"),
        consent_within=600,
        exercise=True,
    )
    english = [each.en for each in terms_in_words(terms)]
    assert english[:3] == [
        "Left out of the recipient's copy: every fact about a person's health and `/info/*/description`.",
        "Replaced by a pseudonym in the recipient's copy: everything that identifies a person.",
        "Reduced in the recipient's copy: to the year, `/body/person/birthDate`; to the region, `/body/person/city`.",
    ]
    assert [line.split(" ", 3)[:3] for line in english[3:]] == [
        ["The", "alert", "must"],
        ["The", "recipient", "keeps"],
        ["The", "recipient", "may"],
        ["Before", "the", "alert"],
        ["This", "clause", "is"],
    ]
    assert all(each.fr and each.fr != each.en for each in terms_in_words(terms))
