"""Lost, stolen and fraudulent documents of identity, as entered in INTERPOL's SLTD and NCIC's Identity Theft File."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.documents import ReportedDocument
from schemas.alerts.fields import CapTime, Part, many
from schemas.alerts.header import TypeName
from schemas.alerts.persons import Person
from schemas.alerts.places import Scene
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType

FraudFeature = Literal[
    "photograph-substituted",
    "page-substituted",
    "data-altered",
    "stamp-forged",
    "security-feature-missing",
    "paper-or-polycarbonate-wrong",
    "printing-wrong",
    "chip-unreadable",
    "chip-signature-invalid",
    "zone-inconsistent",
    "breeder-document-false",
    "morphed-photograph",
    "fantasy-document",
]
"""How a false document was told (ICAO Doc 9303-2, appendix A; PRADO glossary)."""


class Presentation(Part):
    """Where the document was shown, and what came of it."""

    at: CapTime
    scene: Scene
    outcome: Literal["accepted", "refused", "seized", "holder-detained", "unknown"]


class IdentityDocument(Matter):
    """The documents, whose they are, and who used them where. A genuine document's ``holder`` is its victim too."""

    documents: Annotated[tuple[ReportedDocument, ...], many(256, least=1)]
    holder: Person | None = None
    users: Annotated[tuple[Involved, ...], many(32)] = ()
    features: Annotated[tuple[FraudFeature, ...], many(13)] = ()
    presentations: Annotated[tuple[Presentation, ...], many(64)] = ()

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.features and all(each.state in _GENUINE for each in self.documents):
            yield _FEATURES_OF_GENUINE.at("features")


class IdentityDocumentAlert(AlertAboutPerson):
    """A document must not be taken for what it says."""

    title: ClassVar[Bilingual] = Bilingual(
        fr="Document d'identité perdu, volé ou faux", en="Lost, stolen or false identity document"
    )

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/identity-document/v1"))]
    body: IdentityDocument

    def advice(self) -> tuple[Bilingual, ...]:
        """Return what the sender may want to look at again although nothing forbids it."""
        return tuple(dict.fromkeys(advice for each in self.body.documents for advice in each.advice()))


_GENUINE: Final = ("lost", "stolen", "stolen-blank", "revoked")
_FEATURES_OF_GENUINE: Final = Rule(
    "fraud-features-of-genuine",
    Bilingual(
        fr="Des indices de fraude ne se constatent pas sur des documents tous authentiques.",
        en="Features of fraud are not found on documents that are all genuine.",
    ),
)
