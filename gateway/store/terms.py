"""The terms of a permit as the database, the log and an answer keep them: plain JSON, without what says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from agreements.term_words import terms_in_words
from schemas.decisions import NO_TERMS, ClauseRef, Onward, Terms, Treatment, Withholding


@lru_cache(maxsize=1024)
def terms_content(terms: Terms) -> Mapping[str, Any]:
    """Return terms as plain JSON; the same few recur in every alert.

    ``withheld`` lists pointers (RFC 6901, ``*`` for any position of a list) with their treatment, the class by which
    the clause named them, if it did, and the clause; the others are seconds, days and names.
    """
    content: dict[str, Any] = {
        "withheld": [
            {
                "pointer": each.pointer,
                "treatment": each.treatment.value,
                **({"class": each.mark} if each.mark else {}),
                "clause": str(each.under),
            }
            for each in terms.withholdings
        ],
        "deliver_within": terms.deliver_within,
        "acknowledge_within": terms.acknowledge_within,
        "retain_days": terms.retain_days,
        "onward": terms.onward.value if terms.onward is not Onward.WITH_CONSENT else None,
        "consent_by": list(terms.consent_by),
        "consent_within": terms.consent_within,
        "exercise": terms.exercise or None,
    }
    return {name: value for name, value in content.items() if value not in (None, [])}


@lru_cache(maxsize=1024)
def terms_document(terms: Terms) -> Mapping[str, Any]:
    """Return the members that tell of a permit's terms in an answer, with their sentences; none where they say nothing.

    A list of the other members' words, ``obligations``, stands beside ``terms``.
    """
    if terms == NO_TERMS:
        return {}
    words = [{"fr": each.fr, "en": each.en} for each in terms_in_words(terms)]
    return {"terms": terms_content(terms), "obligations": words}


@lru_cache(maxsize=1024)
def terms_text(terms: Terms) -> str | None:
    """Return terms as the text of a row; None where they say nothing."""
    return None if terms == NO_TERMS else orjson.dumps(terms_content(terms)).decode()


class UnreadableTermsError(Exception):
    """What stands for a permit's terms was never written as such. The message is fixed and shows nothing."""

    def __init__(self) -> None:
        super().__init__("a dispatch's terms can't be read")


@lru_cache(maxsize=1024)
def read_terms(text: str | None) -> Terms:
    """Return the terms that ``terms_text`` wrote. Raises ``UnreadableTermsError`` for what it can't have written."""
    if text is None:
        return NO_TERMS
    try:
        return terms_of_content(orjson.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UnreadableTermsError from None


def terms_of_content(content: Mapping[str, Any]) -> Terms:
    """Return the terms that ``terms_content`` wrote."""
    return Terms(
        withholdings=tuple(
            Withholding(
                each["pointer"], Treatment(each["treatment"]), each.get("class", ""), ClauseRef.of(each["clause"])
            )
            for each in content.get("withheld", ())
        ),
        deliver_within=content.get("deliver_within"),
        acknowledge_within=content.get("acknowledge_within"),
        retain_days=content.get("retain_days"),
        onward=Onward(content.get("onward", Onward.WITH_CONSENT)),
        consent_by=tuple(content.get("consent_by", ())),
        consent_within=content.get("consent_within"),
        exercise=content.get("exercise", False),
    )
