"""The words for what an agreement names by code: enumerations of CAP 1.2 and TLP 2.0, lanes, dates, lists.

English keeps the standards' own words. The French ones follow the Canadian profile of CAP (CAP-CP) where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from schemas.alerts import catalogue
from schemas.bilingual import Bilingual, Language
from schemas.ids import AlertType

STATUS: Final[Mapping[str, Bilingual]] = {
    "Actual": Bilingual(fr="réel", en="actual"),
    "Exercise": Bilingual(fr="exercice", en="exercise"),
    "System": Bilingual(fr="système", en="system"),
    "Test": Bilingual(fr="essai", en="test"),
    "Draft": Bilingual(fr="ébauche", en="draft"),
}
MSG_TYPE: Final[Mapping[str, Bilingual]] = {
    "Alert": Bilingual(fr="alerte", en="alert"),
    "Update": Bilingual(fr="mise à jour", en="update"),
    "Cancel": Bilingual(fr="annulation", en="cancellation"),
    "Ack": Bilingual(fr="accusé de réception", en="acknowledgement"),
    "Error": Bilingual(fr="avis d'erreur", en="error"),
}
HANDLING: Final[Mapping[str, Bilingual]] = {
    "H0": Bilingual(
        fr="H0 (prévention et répression de la criminalité seulement)", en="H0 (to prevent and combat crime only)"
    ),
    "H1": Bilingual(
        fr="H1 (pas d'utilisation en preuve sans consentement)", en="H1 (no evidential use without consent)"
    ),
    "H2": Bilingual(
        fr="H2 (pas de retransmission sans consentement)", en="H2 (no onward dissemination without consent)"
    ),
    "H3": Bilingual(fr="H3 (autre restriction, dite en toutes lettres)", en="H3 (other restriction, said in words)"),
}
MARKS: Final[Mapping[str, Bilingual]] = {
    "identifying": Bilingual(fr="tout ce qui identifie une personne", en="everything that identifies a person"),
    "health": Bilingual(fr="tout renseignement sur la santé d'une personne", en="every fact about a person's health"),
}
SEVERITY: Final[Mapping[str, Bilingual]] = {
    "Extreme": Bilingual(fr="extrême", en="extreme"),
    "Severe": Bilingual(fr="majeure", en="severe"),
    "Moderate": Bilingual(fr="modérée", en="moderate"),
    "Minor": Bilingual(fr="mineure", en="minor"),
    "Unknown": Bilingual(fr="inconnue", en="unknown"),
}
URGENCY: Final[Mapping[str, Bilingual]] = {
    "Immediate": Bilingual(fr="immédiate", en="immediate"),
    "Expected": Bilingual(fr="prévue", en="expected"),
    "Future": Bilingual(fr="future", en="future"),
    "Past": Bilingual(fr="passée", en="past"),
    "Unknown": Bilingual(fr="inconnue", en="unknown"),
}
CERTAINTY: Final[Mapping[str, Bilingual]] = {
    "Observed": Bilingual(fr="observée", en="observed"),
    "Likely": Bilingual(fr="probable", en="likely"),
    "Possible": Bilingual(fr="possible", en="possible"),
    "Unlikely": Bilingual(fr="improbable", en="unlikely"),
    "Unknown": Bilingual(fr="inconnue", en="unknown"),
}
CATEGORY: Final[Mapping[str, Bilingual]] = {
    "Geo": Bilingual(fr="géophysique", en="geophysical"),
    "Met": Bilingual(fr="météorologique", en="meteorological"),
    "Safety": Bilingual(fr="sécurité générale", en="general safety"),
    "Security": Bilingual(fr="maintien de l'ordre et sûreté", en="law enforcement and security"),
    "Rescue": Bilingual(fr="sauvetage", en="rescue"),
    "Fire": Bilingual(fr="incendie", en="fire"),
    "Health": Bilingual(fr="santé", en="health"),
    "Env": Bilingual(fr="environnement", en="environment"),
    "Transport": Bilingual(fr="transport", en="transport"),
    "Infra": Bilingual(fr="infrastructure", en="infrastructure"),
    "CBRNE": Bilingual(fr="menace CBRNE", en="CBRNE threat"),
    "Other": Bilingual(fr="autre", en="other"),
}
INFO: Final[Mapping[str, Bilingual]] = {
    "severity": Bilingual(fr="la gravité", en="severity"),
    "urgency": Bilingual(fr="l'urgence", en="urgency"),
    "certainty": Bilingual(fr="la certitude", en="certainty"),
    "category": Bilingual(fr="la catégorie", en="category"),
    "language": Bilingual(fr="la langue", en="language"),
    "area": Bilingual(fr="la zone", en="area"),
}
"""What a condition on the info blocks is about, by its tag."""

INFO_VALUES: Final[Mapping[str, Mapping[str, Bilingual]]] = {
    "severity": SEVERITY,
    "urgency": URGENCY,
    "certainty": CERTAINTY,
    "category": CATEGORY,
}
"""And the words for its values."""

NO_NAMES: Final[Mapping[str, Bilingual]] = MappingProxyType({})
AND: Final = Bilingual(fr="et", en="and")
OR: Final = Bilingual(fr="ou", en="or")


def word(vocabulary: Mapping[str, Bilingual], code: str, language: Language) -> str:
    """Return the word for a code; a code that the table does not have stands for itself."""
    known = vocabulary.get(code)
    return code if known is None else known.in_language(language)


def listed(items: Sequence[str], language: Language, *, last: Bilingual) -> str:
    """Return items as a person lists them; ``last`` is the word before the last one."""
    if len(items) <= 1:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last.in_language(language)} {items[-1]}"


def duration(seconds: int, language: Language) -> str:
    """Return a number of seconds as a person writes it, in the largest unit of which it is a whole number."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    count = seconds // size
    return f"{count} {unit.in_language(language)}{'' if count == 1 else 's'}"


_UNITS: Final = (
    (86_400, Bilingual(fr="jour", en="day")),
    (3_600, Bilingual(fr="heure", en="hour")),
    (60, Bilingual(fr="minute", en="minute")),
    (1, Bilingual(fr="seconde", en="second")),
)


def moment(text: str, language: Language) -> str:
    """Return an RFC 3339 instant as a person writes it, in the offset it was signed with."""
    at = datetime.fromisoformat(text)
    zone = at.strftime("%z")
    offset = "UTC" if at.utcoffset() == timedelta(0) else f"UTC{zone[:3]}:{zone[3:]}"
    if language == "en":
        return f"{_MONTHS[at.month - 1].en} {at.day}, {at.year} at {at:%H:%M:%S} ({offset})"
    day = "1er" if at.day == 1 else str(at.day)
    return f"{day} {_MONTHS[at.month - 1].fr} {at.year} à {at:%H:%M:%S} ({offset})"


_MONTHS: Final = tuple(
    Bilingual(fr=fr, en=en)
    for fr, en in (
        ("janvier", "January"),
        ("février", "February"),
        ("mars", "March"),
        ("avril", "April"),
        ("mai", "May"),
        ("juin", "June"),
        ("juillet", "July"),
        ("août", "August"),
        ("septembre", "September"),
        ("octobre", "October"),
        ("novembre", "November"),
        ("décembre", "December"),
    )
)


def cited(ref: str, language: Language) -> str:
    """Return a clause's reference, ``id/version#clause``, as counsel cites it."""
    agreement, _, rest = ref.partition("/")
    version, _, clause = rest.partition("#")
    if language == "en":
        return f"{clause} of {agreement} (version {version})"
    return f"{clause} de {agreement} (version {version})"


def named(names: Mapping[str, Bilingual], code: str, language: Language) -> str:
    """Return a name with the code that is executed, in Markdown; the code alone where it has no name here."""
    known = names.get(code)
    return f"`{code}`" if known is None else f"{known.in_language(language)} (`{code}`)"


def type_words(pattern: str, language: Language) -> str:
    """Return an alert type by its name and code, or the whole domain that a pattern stands for, in Markdown."""
    if pattern in catalogue.alert_types():
        return f"{catalogue.title(AlertType(pattern)).in_language(language)} (`{pattern}`)"
    domain, _, rest = pattern.partition("/")
    if rest != "*":
        return f"`{pattern}`"
    return f"tout le domaine `{domain}`" if language == "fr" else f"the whole domain `{domain}`"
