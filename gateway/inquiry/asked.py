"""What an auditor asks of the log: the filters as they were given, and the search that they come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from audit.kinds import Kind
from audit.search import Search
from audit.terms import words_of
from gateway.errors import InvalidQueryError
from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.ids import (
    AGREEMENT_PATTERN,
    ALERT_TYPE_PATTERN,
    JURISDICTION_PATTERN,
    PARTICIPANT_PATTERN,
    UUID_PATTERN,
    JurisdictionCode,
    ParticipantId,
    home_of,
)
from schemas.timestamps import read_instant, utc_text

LONGEST_TEXT: Final = 100
_CLAUSE: Final = AGREEMENT_PATTERN[1:-1] + r"/[1-9][0-9]{0,6}#[A-Za-z0-9][A-Za-z0-9.-]{0,31}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: ``filters`` by name as they were given, the search that they come to, and ``words`` to be found.

    ``about`` are the jurisdictions that it names, itself or by one of their participants.
    """

    filters: Mapping[str, str]
    search: Search
    about: frozenset[JurisdictionCode]
    words: tuple[str, ...] = ()


def read_filters(given: Mapping[str, str], *, after: int) -> Asked:
    """Return what filters ask for; those that are empty ask for nothing.

    ``after`` is the index that the page comes after, -1 for the first one. Raises ``InvalidQueryError`` for a filter
    that is not of its form.
    """
    filters = {name: value for name, value in given.items() if value}
    terms = set[str]()
    for name in filters.keys() & _TERMS.keys():
        if not _FORMS[name](filters[name]):
            raise InvalidQueryError(_not_of_form(name), name)
        terms.add(f"{_TERMS[name]}:{filters[name]}")
    search = Search(
        terms=frozenset(terms),
        since=_instant(filters, "from"),
        until=_instant(filters, "until"),
        after=after,
    )
    words = _words(filters["text"]) if "text" in filters else ()
    return Asked(filters, search, frozenset(_named(filters)), words)


def _named(filters: Mapping[str, str]) -> Iterator[JurisdictionCode]:
    if "jurisdiction" in filters:
        yield JurisdictionCode(filters["jurisdiction"])
    if "participant" in filters:
        yield home_of(ParticipantId(filters["participant"]))
    if "to" in filters:
        yield home_of(ParticipantId(filters["to"])) if "." in filters["to"] else JurisdictionCode(filters["to"])


def _words(text: str) -> tuple[str, ...]:
    words = words_of(text)
    if not words or len(text) > LONGEST_TEXT or not text.isprintable():
        raise InvalidQueryError(_not_of_form("text"), "text")
    return words


def _instant(filters: Mapping[str, str], name: str) -> str | None:
    """Return an instant as entries write it; None where there is none."""
    if name not in filters:
        return None
    try:
        return utc_text(read_instant(filters[name]))
    except BrokenRuleError:
        raise InvalidQueryError(_not_of_form(name), name) from None


def _like(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


_FORMS: Final[Mapping[str, Callable[[str], bool]]] = {
    "kind": lambda value: value in set(Kind),
    "jurisdiction": _like(JURISDICTION_PATTERN),
    "participant": _like(PARTICIPANT_PATTERN),
    "agreement": _like(AGREEMENT_PATTERN),
    "clause": _like(_CLAUSE),
    "type": _like(ALERT_TYPE_PATTERN),
    "alert_id": _like(UUID_PATTERN),
    "to": _like(f"{PARTICIPANT_PATTERN}|{JURISDICTION_PATTERN}"),
}
_TERMS: Final[Mapping[str, str]] = {
    "kind": "kind",
    "jurisdiction": "with",
    "participant": "participant",
    "agreement": "agreement",
    "clause": "clause",
    "type": "type",
    "alert_id": "alert",
    "to": "to",
}


def _not_of_form(name: str) -> Bilingual:
    return Bilingual(
        fr=f"le paramètre {name} n'a pas la forme attendue : {_EXPECTED[name].fr}",
        en=f"the parameter {name} is not of the expected form: {_EXPECTED[name].en}",
    )


_EXPECTED: Final[Mapping[str, Bilingual]] = {
    "kind": Bilingual(fr="un genre d'inscription, comme accepted", en="a kind of entry, such as accepted"),
    "jurisdiction": Bilingual(fr="un code ISO 3166, comme CA-QC", en="an ISO 3166 code, such as CA-QC"),
    "participant": Bilingual(fr="un participant, comme ca-qc.sq", en="a participant, such as ca-qc.sq"),
    "agreement": Bilingual(
        fr="un identifiant d'entente, comme ca-qc.us-ny.crime-2008",
        en="an agreement's identifier, such as ca-qc.us-ny.crime-2008",
    ),
    "clause": Bilingual(
        fr="une clause, comme ca-qc.us-ny.crime-2008/1#3.1", en="a clause, such as ca-qc.us-ny.crime-2008/1#3.1"
    ),
    "type": Bilingual(
        fr="un type d'alerte, comme law-enforcement/stolen-vehicle/v1",
        en="an alert type, such as law-enforcement/stolen-vehicle/v1",
    ),
    "alert_id": Bilingual(fr="l'identifiant d'une alerte (UUID)", en="an alert's id (UUID)"),
    "to": Bilingual(
        fr="un participant ou un code ISO 3166, comme us-ny.nysp ou US-NY",
        en="a participant or an ISO 3166 code, such as us-ny.nysp or US-NY",
    ),
    "from": Bilingual(fr="un instant RFC 3339 avec son décalage", en="an RFC 3339 instant with its offset"),
    "until": Bilingual(fr="un instant RFC 3339 avec son décalage", en="an RFC 3339 instant with its offset"),
    "text": Bilingual(
        fr="des lettres non accentuées ou des chiffres d'un identifiant, 100 caractères au plus",
        en="letters without accents or digits of an identifier, 100 characters at most",
    ),
}
