"""Documents of identity and of civil status: INTERPOL's SLTD, ICAO Doc 9303, NCIC's Identity Theft File, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.check_digits import zone_holds
from schemas.alerts.fields import Date, RuledPart, many
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionField

DocumentKind = Literal[
    "passport",
    "diplomatic-passport",
    "official-passport",
    "emergency-travel-document",
    "refugee-travel-document",
    "identity-card",
    "driver-licence",
    "enhanced-driver-licence",
    "health-insurance-card",
    "birth-certificate",
    "marriage-certificate",
    "death-certificate",
    "citizenship-certificate",
    "permanent-resident-card",
    "visa",
    "border-crossing-card",
    "trusted-traveller-card",
    "vehicle-registration",
    "other",
]

DocumentState = Literal[
    "lost", "stolen", "stolen-blank", "revoked", "counterfeit", "altered", "fraudulently-obtained", "used-by-another"
]
"""INTERPOL's categories of stolen and lost travel documents, and those of document fraud (Frontex glossary)."""

DocumentNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9 /.-]{0,31}$")]
ZoneLine = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9<]{30,44}$")]


class Blanks(RuledPart):
    """A run of blank documents by their first and last number, both included; ``count`` where it is known."""

    first: DocumentNumber
    last: DocumentNumber
    count: Annotated[int, Field(ge=1, le=10_000_000)] | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield that the run goes backwards: numbers of a run are of one length, and grow."""
        if len(self.first) != len(self.last) or self.last < self.first:
            yield _RUN_REVERSED.at("last")


class ReportedDocument(RuledPart):
    """A document and what is wrong with it; ``zone`` is its machine-readable zone, line by line."""

    kind: DocumentKind
    issuer: JurisdictionField
    state: DocumentState
    number: Annotated[DocumentNumber | None, IDENTIFYING] = None
    blanks: Blanks | None = None
    zone: Annotated[tuple[ZoneLine, ...], many(3), IDENTIFYING] = ()
    issued: Date | None = None
    expires: Date | None = None
    since: Date | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield what does not go together."""
        if self.state == "stolen-blank":
            if self.number is None and self.blanks is None:
                yield _NOT_IDENTIFIED.at("number")
        elif self.blanks is not None:
            yield _NOT_BLANK.at("blanks")
        elif self.number is None and not self.zone and self.state != "counterfeit":
            yield _NOT_IDENTIFIED.at("number")
        if self.zone and [len(line) for line in self.zone] not in _FORMATS:
            yield _NO_ZONE.at("zone")
        if self.issued is not None and self.expires is not None and self.expires < self.issued:
            yield _EXPIRED_UNISSUED.at("expires")

    def advice(self) -> Iterator[Bilingual]:
        """Yield that a check digit of the zone does not hold; of a document called genuine it should."""
        genuine = self.state not in ("counterfeit", "altered")
        if genuine and self.zone and not all(map(zone_holds, _checked_fields(self.zone))):
            yield _ZONE_DIGIT


def _checked_fields(zone: tuple[str, ...]) -> Iterator[str]:
    """Yield number, birth date and expiry, each with its check digit (ICAO Doc 9303-4, -5, -6, -7: sections 4.2)."""
    if len(zone) == 3:  # noqa: PLR2004 - TD1 alone has three lines
        if zone[0][14] != "<":  # a longer number, whose digit stands among the optional data (Doc 9303-5, note j)
            yield zone[0][5:15]
        yield from (zone[1][0:7], zone[1][8:15])
    else:
        if zone[1][9] != "<":
            yield zone[1][0:10]
        yield from (zone[1][13:20], zone[1][21:28])


_FORMATS: Final = ([30, 30, 30], [36, 36], [44, 44])
"""TD1; TD2 and MRV-B; TD3 and MRV-A (ICAO Doc 9303-5, -6, -4, -7)."""

_RUN_REVERSED: Final = Rule(
    "run-reversed",
    Bilingual(
        fr="Le dernier numéro d'une série ne peut précéder le premier.",
        en="The last number of a run can't come before the first.",
    ),
)
_NOT_IDENTIFIED: Final = Rule(
    "document-not-identified",
    Bilingual(
        fr="Un document doit avoir un numéro ou une zone de lecture automatique; des vierges, une série.",
        en="A document must have a number or a machine-readable zone; blanks, a run of numbers.",
    ),
)
_NOT_BLANK: Final = Rule(
    "run-of-no-blanks",
    Bilingual(
        fr="Seuls des documents vierges volés se signalent par une série de numéros.",
        en="Only stolen blank documents are reported by a run of numbers.",
    ),
)
_NO_ZONE: Final = Rule(
    "zone-of-no-format",
    Bilingual(
        fr="Une zone de lecture automatique a trois lignes de 30 caractères, ou deux de 36 ou de 44.",
        en="A machine-readable zone has three lines of 30 characters, or two of 36 or of 44.",
    ),
)
_EXPIRED_UNISSUED: Final = Rule(
    "expires-before-issued",
    Bilingual(
        fr="Un document ne peut expirer avant d'être délivré.", en="A document can't expire before it is issued."
    ),
)
_ZONE_DIGIT: Final = Bilingual(
    fr="Un chiffre de contrôle de la zone de lecture automatique ne concorde pas.",
    en="A check digit of the machine-readable zone does not hold.",
)
