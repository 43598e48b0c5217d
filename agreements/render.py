"""An agreement as a document for people: Markdown (CommonMark), in one language, every clause in words.

Nothing is left out and nothing added but names, so that who signs reads exactly what the exchange will execute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from agreements.condition_words import codes_in_words, literal
from agreements.conditions.area import Region
from agreements.document import Agreement, Contact, Grant, Text
from agreements.explain import describe, permission
from agreements.obligations import LaneObligation, lane_of
from agreements.vocabulary import NO_NAMES, moment, named
from schemas.bilingual import Bilingual, Language


def render(document: Agreement, language: Language, *, names: Mapping[str, Bilingual] = NO_NAMES) -> str:
    """Return the agreement in words.

    ``names`` gives those of jurisdictions and participants; one that has none stands as its code.
    """
    return "\n".join(_lines(document, language, names)) + "\n"


def _lines(document: Agreement, language: Language, names: Mapping[str, Bilingual]) -> Iterator[str]:
    yield f"# {_prose(document.title, language)}"
    yield ""
    yield from _particulars(document, language, names)
    for heading, passage in (
        (_PURPOSE, document.purpose),
        (_LEGAL_BASIS, document.legal_basis),
        (_PRIVACY_ASSESSMENT, document.privacy_assessment),
    ):
        yield from ("", f"## {heading.in_language(language)}", "", _prose(passage, language))
    if document.contacts:
        yield from ("", f"## {_CONTACTS.in_language(language)}", "")
        yield from (_contact(contact, language, names) for contact in document.contacts)
    if document.regions:
        yield from ("", f"## {_REGIONS.in_language(language)}", "")
        yield from (_region(region, language) for region in document.regions)
    names = {**names, **{region.name: _escaped(region.bilingual) for region in document.regions}}
    yield from ("", f"## {_GRANTS.in_language(language)}", "", _DEFAULT.in_language(language))
    for grant in document.grants:
        yield from _grant(grant, language, names)


def _particulars(document: Agreement, language: Language, names: Mapping[str, Bilingual]) -> Iterator[str]:
    parties = ", ".join(named(names, party, language) for party in document.parties)
    open_to = ", ".join(named(names, code, language) for code in document.may_accede)
    start, until = moment(document.valid.start, language), moment(document.valid.until, language)
    if language == "fr":
        yield f"- Entente : `{document.id}`, version {document.version}"
        yield f"- Parties : {parties}"
        yield f"- En vigueur : du {start} au {until}, ce dernier instant exclu"
        if open_to:
            yield f"- Peuvent adhérer, par leur seule déclaration : {open_to}"
    else:
        yield f"- Agreement: `{document.id}`, version {document.version}"
        yield f"- Parties: {parties}"
        yield f"- In force: from {start} until {until}, this last instant excluded"
        if open_to:
            yield f"- May accede, by their own statement alone: {open_to}"


def _contact(contact: Contact, language: Language, names: Mapping[str, Bilingual]) -> str:
    reach = f", {_literal(contact.email)}" if contact.email is not None else ""
    between = " : " if language == "fr" else ": "
    return f"- {named(names, contact.party, language)}{between}{_prose(contact.office, language)}{reach}"


def _region(region: Region, language: Language) -> str:
    places = [*codes_in_words(region.codes), *literal(region.polygon)]
    return f"- {_prose(region, language)} (`{region.name}`){' : ' if language == 'fr' else ': '}{'; '.join(places)}"


def _grant(grant: Grant, language: Language, names: Mapping[str, Bilingual]) -> Iterator[str]:
    yield from ("", f"### Clause {grant.clause}", "", permission(grant, language, names=names), "")
    yield _CONDITIONS.in_language(language)
    yield ""
    yield from (f"- {describe(condition, names=names).in_language(language)}" for condition in grant.conditions)
    lane = LaneObligation(obligation="lane", lane=lane_of(grant.obligations))
    yield from ("", describe(lane).in_language(language))
    others = [obligation for obligation in grant.obligations if not isinstance(obligation, LaneObligation)]
    if others:
        yield from ("", _OBLIGATIONS.in_language(language), "")
        yield from (f"- {describe(obligation, names=names).in_language(language)}" for obligation in others)


def _prose(passage: Text | Region, language: Language) -> str:
    return _literal(passage.bilingual.in_language(language))


def _escaped(text: Bilingual) -> Bilingual:
    return Bilingual(fr=_literal(text.fr), en=_literal(text.en))


def _literal(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text)


_MARKUP: Final = re.compile(r"[\\`*_<>\[\]#&]")
"""What CommonMark would take for its own (section 2.4): prose is shown to the letter."""

_PURPOSE: Final = Bilingual(fr="Objet", en="Purpose")
_LEGAL_BASIS: Final = Bilingual(fr="Fondement juridique", en="Legal basis")
_PRIVACY_ASSESSMENT: Final = Bilingual(
    fr="Évaluation des facteurs relatifs à la vie privée", en="Privacy impact assessment"
)
_CONTACTS: Final = Bilingual(fr="Répondants", en="Contacts")
_GRANTS: Final = Bilingual(fr="Ce que les parties permettent", en="What the parties permit")
_DEFAULT: Final = Bilingual(
    fr="Rien n'est transmis que ce qu'une clause permet.", en="Nothing is passed on but what a clause permits."
)
_REGIONS: Final = Bilingual(fr="Régions", en="Regions")
_OBLIGATIONS: Final = Bilingual(fr="Avec les obligations suivantes :", en="With the following obligations:")
_CONDITIONS: Final = Bilingual(fr="À toutes les conditions suivantes :", en="On all of the following conditions:")
