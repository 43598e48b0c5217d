"""What an entry can be found by: a few short terms, made from its content alone.

===================  ==================================================================================================
term                 of which entries
===================  ==================================================================================================
``*``                every one
``kind:K``           those of a kind
``with:J``           those to which a jurisdiction is a party
``participant:P``    those in which a participant acts, sends, receives, is asked or is stated about
``agreement:ID``     those about an agreement, whatever its version
``clause:C``         those about a clause, ``id/version#clause``
``type:T``           those about alerts of a type
``alert:ID``         those about an alert
``to:P``, ``to:J``   those about a recipient, or one of a jurisdiction's, routed to or withheld from
``looked:ID``        queries that showed something about an alert to which the reader's jurisdiction is a party
``mark:M``           acceptances whose identifier has a word of this mark; only who has the marks' key makes them
``word:W``           acceptances of before, which have their identifier in the clear: those with this word
===================  ==================================================================================================

Every filter of a query is one term, so an entry is found where it has all of them. ``looked`` is not made here, for it
is no entry's own: ``audit.segments`` knows what was shown. A word is a run of letters and digits, in lower case; its
mark stands in the entry, so that the index is made, and held against the log, without any key.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import orjson

from audit.kinds import Kind
from schemas.ids import ParticipantId, home_of

EVERY: Final = "*"
LONGEST_WORD: Final = 32
_WORD: Final = re.compile(r"[0-9a-z]+")
_VERBATIM: Final = ("kind", "with", "participant", "agreement", "clause", "alert", "mark")
_OF_A_KIND: Final = {"word": Kind.ACCEPTED, "looked": Kind.QUERIED}
_ABOUT_ALERTS: Final = {"alert": "", "looked": "looked:"}
_PARTIES: Final = b'"jurisdictions":['
_PARTICIPANTS: Final = ("recipient", "participant", "by", "asked")


def terms_of(entry: Mapping[str, Any], alert_type: str | None) -> frozenset[str]:
    """Return the terms of an entry, read from its canonical bytes; ``alert_type`` is that of the alert it is about."""
    return frozenset(_terms(entry, alert_type))


def told_by(term: str) -> bytes:
    """Return what stands in the canonical bytes of every entry that has a term: nothing where that can't be told.

    The names in these terms are such that JSON writes them as they are.
    """
    what, _, name = term.partition(":")
    if what in _OF_A_KIND:
        return f'"kind":"{_OF_A_KIND[what]}"'.encode()
    return name.encode() if what in _VERBATIM or (what == "to" and "." in name) else b""


def kept_as(term: str) -> str:
    """Return a term as the index keeps it: alerts, which most of it is about, by their 128 bits in 22 characters.

    What is no UUID in its usual spelling (RFC 9562 section 4) is kept as it is. No other term is without a colon but
    ``*``, so none is kept as another is.
    """
    what, _, name = term.partition(":")
    if what not in _ABOUT_ALERTS:
        return term
    try:
        number = UUID(name)
    except ValueError:
        return term
    short = base64.urlsafe_b64encode(number.bytes).rstrip(b"=").decode("ascii")
    return _ABOUT_ALERTS[what] + short if str(number) == name else term


def is_party(jurisdiction: str, canonical: bytes) -> bool:
    """Say whether a jurisdiction is a party to an entry, which is not read for it: parties stand after the content."""
    parties = canonical[canonical.rfind(_PARTIES) :]
    return f'"{jurisdiction}"'.encode() in parties[: parties.find(b"]")]


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as terms have them, each once; one that is too long is cut."""
    return tuple(dict.fromkeys(word[:LONGEST_WORD] for word in _WORD.findall(text.lower())))


def read_whole(canonical: bytes) -> Mapping[str, Any]:
    """Return an entry's members."""
    whole: Mapping[str, Any] = orjson.loads(canonical)
    return whole


def _terms(entry: Mapping[str, Any], alert_type: str | None) -> Iterator[str]:
    content: Mapping[str, Any] = entry["content"]
    yield EVERY
    yield f"kind:{entry['kind']}"
    yield from (f"with:{each}" for each in entry["jurisdictions"])
    if entry["alert_id"] is not None:
        yield f"alert:{entry['alert_id']}"
    if entry["agreement"] is not None:
        yield f"agreement:{entry['agreement']}"
    if alert_type is not None:
        yield f"type:{alert_type}"
    if entry["actor"] is not None:
        yield f"participant:{entry['actor']}"
    yield from _named(content)
    if entry["kind"] == Kind.ACCEPTED:
        yield from (f"mark:{mark}" for mark in content.get("words", ()))
        yield from (f"word:{word}" for word in words_of(content.get("identifier", "")))


def _named(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the participants and clauses that a content names, those of its requests and denials too."""
    for member in _PARTICIPANTS:
        named = content.get(member)
        names: Iterable[str] = named if isinstance(named, list) else [named] if isinstance(named, str) else ()
        yield from (f"participant:{name}" for name in names if "." in name)
    if "recipient" in content:
        yield f"to:{content['recipient']}"
        yield f"to:{home_of(ParticipantId(content['recipient']))}"
    if "clause" in content:
        yield from _clause(content["clause"])
    for each in content.get("considered", ()):
        yield from _clause(each["clause"])
    for member in ("withheld", "requests"):
        for each in content.get(member, ()):
            yield from _named(each)


def _clause(clause: str) -> Iterator[str]:
    yield f"clause:{clause}"
    yield f"agreement:{clause.partition('/')[0]}"
