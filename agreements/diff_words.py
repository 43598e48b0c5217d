"""The sentences of ``agreements.diff``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agreements.explain import describe
from agreements.obligations import Obligation
from agreements.vocabulary import AND, listed, moment, named, type_words
from schemas.bilingual import Bilingual, Language
from schemas.decisions import Lane


@dataclass(frozen=True, slots=True)
class Passing:
    """How it is said that something passes in one version and not in the other."""

    may: Bilingual
    told: Bilingual
    widely: Bilingual


NOW_PASSES: Final = Passing(
    may=Bilingual(
        fr="permet ce qu'aucune clause de l'ancienne version ne permettait",
        en="lets through what no clause of the old version did",
    ),
    told=Bilingual(fr="informe désormais d'office", en="now has told"),
    widely=Bilingual(fr="permet davantage", en="lets more through"),
)
NO_LONGER: Final = Passing(
    may=Bilingual(
        fr="de l'ancienne version permettait ce qu'aucune clause de la nouvelle ne permet",
        en="of the old version let through what no clause of the new one does",
    ),
    told=Bilingual(
        fr="de l'ancienne version informait d'office, ce qui cesse", en="of the old version had told, and no more"
    ),
    widely=Bilingual(fr="de l'ancienne version permettait davantage", en="of the old version let more through"),
)
NOT_ASKED: Final = Bilingual(fr="aucune condition de cette nature.", en="no such condition.")

TEXTS: Final[Mapping[str, Bilingual]] = {
    "title": Bilingual(fr="Le titre change.", en="The title changes."),
    "purpose": Bilingual(fr="L'objet change.", en="The purpose changes."),
    "legal_basis": Bilingual(fr="Le fondement juridique change.", en="The legal basis changes."),
    "privacy_assessment": Bilingual(
        fr="L'évaluation des facteurs relatifs à la vie privée change.", en="The privacy impact assessment changes."
    ),
    "contacts": Bilingual(fr="Les répondants changent.", en="The contacts change."),
}


def route(origins: Sequence[str], recipients: Sequence[str], types: Sequence[str]) -> Bilingual:
    """Return from whom to whom, and what."""
    return Bilingual(
        fr=f"de {_codes(origins, 'fr')} à {_codes(recipients, 'fr')}, pour {_types(types, 'fr')}",
        en=f"from {_codes(origins, 'en')} to {_codes(recipients, 'en')}, for {_types(types, 'en')}",
    )


def unheard_of(clause: str, way: Bilingual, say: Passing) -> Bilingual:
    """Say that a clause is about what no clause of the other version is about."""
    return Bilingual(fr=f"La clause {clause} {say.may.fr} : {way.fr}.", en=f"Clause {clause} {say.may.en}: {way.en}.")


def copied(clause: str, way: Bilingual, say: Passing) -> Bilingual:
    """Say that a clause has somebody told whom the other version does not have told."""
    return Bilingual(fr=f"La clause {clause} {say.told.fr} : {way.fr}.", en=f"Clause {clause} {say.told.en}: {way.en}.")


def widened(clause: str, way: Bilingual, conditions: Sequence[tuple[Bilingual, Bilingual]], say: Passing) -> Bilingual:
    """Say in which conditions, before and now, a clause lets more through than the other version."""
    fr = " ".join(f"Avant : {before.fr} Maintenant : {now.fr}" for before, now in conditions)
    en = " ".join(f"Before: {before.en} Now: {now.en}" for before, now in conditions)
    return Bilingual(
        fr=f"La clause {clause} {say.widely.fr}, {way.fr}. {fr}", en=f"Clause {clause} {say.widely.en}, {way.en}. {en}"
    )


def looser(clause: str, meeting: str, obligation: Obligation, *, names: Mapping[str, Bilingual]) -> Bilingual:
    """Say that an obligation of the old version no longer binds all that the new one lets through."""
    said = describe(obligation, names=names)
    return Bilingual(
        fr=f"Ce que permet la clause {meeting} n'est plus toujours lié par la clause {clause} de l'ancienne version : "
        f"{said.fr}",
        en=f"What clause {meeting} lets through is no longer always bound by clause {clause} of the old version: "
        f"{said.en}",
    )


def stricter(clause: str, meeting: str, obligation: Obligation, *, names: Mapping[str, Bilingual]) -> Bilingual:
    """Say that an obligation of the new version binds what the old one let through without it."""
    said = describe(obligation, names=names)
    return Bilingual(
        fr=f"Ce que permettait la clause {meeting} de l'ancienne version peut maintenant être lié par la clause "
        f"{clause} : {said.fr}",
        en=f"What clause {meeting} of the old version let through may now be bound by clause {clause}: {said.en}",
    )


def begins(old: str, new: str) -> Bilingual:
    """Say that the validity begins at another instant."""
    return Bilingual(
        fr=f"Début de validité : {moment(new, 'fr')}, auparavant {moment(old, 'fr')}.",
        en=f"Validity begins on {moment(new, 'en')}, formerly on {moment(old, 'en')}.",
    )


def ends(old: str, new: str) -> Bilingual:
    """Say that the validity ends at another instant."""
    return Bilingual(
        fr=f"Fin de validité : {moment(new, 'fr')}, auparavant {moment(old, 'fr')}.",
        en=f"Validity ends on {moment(new, 'en')}, formerly on {moment(old, 'en')}.",
    )


def party_added(party: str) -> Bilingual:
    """Say that a jurisdiction becomes a party."""
    return Bilingual(fr=f"`{party}` devient partie à l'entente.", en=f"`{party}` becomes a party.")


def party_left(party: str) -> Bilingual:
    """Say that a jurisdiction is a party no more."""
    return Bilingual(fr=f"`{party}` n'est plus partie à l'entente.", en=f"`{party}` is a party no more.")


def region_changed(name: str) -> Bilingual:
    """Say that a region is new, gone, or not what it was."""
    return Bilingual(
        fr=f"La région `{name}` est nouvelle, supprimée ou définie autrement.",
        en=f"Region `{name}` is new, gone, or defined otherwise.",
    )


def other_lane(clause: str, lane: Lane) -> Bilingual:
    """Say that what a clause lets through travels in another lane."""
    urgent = lane is Lane.URGENT
    return Bilingual(
        fr=f"La clause {clause} emprunte désormais la voie {'urgente' if urgent else 'ordinaire'}.",
        en=f"Clause {clause} now goes by the {'urgent' if urgent else 'routine'} lane.",
    )


def _codes(codes: Sequence[str], language: Language) -> str:
    return listed([named({}, code, language) for code in codes], language, last=AND)


def _types(patterns: Sequence[str], language: Language) -> str:
    return listed([type_words(pattern, language) for pattern in patterns], language, last=AND)
