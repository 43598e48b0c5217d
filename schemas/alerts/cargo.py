# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Cargo and what carries it: containers, seals, ships, goods, parties of a consignment."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.check_digits import container_holds, ship_holds
from schemas.alerts.fields import Amount, Code, Label, Line, Part, keeps, many
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.places import Locode
from schemas.alerts.rules import Rule
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionField

_CONTAINER_DIGIT: Final = Rule(
    "container-check-digit",
    Bilingual(
        fr="Le chiffre de contrôle de ce numéro de conteneur ne concorde pas.",
        en="The check digit of this container number does not hold.",
    ),
)
_SHIP_DIGIT: Final = Rule(
    "ship-check-digit",
    Bilingual(
        fr="Le chiffre de contrôle de ce numéro OMI de navire ne concorde pas.",
        en="The check digit of this ship's IMO number does not hold.",
    ),
)

ContainerNumber = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{3}[UJZ][0-9]{7}$"), keeps(_CONTAINER_DIGIT, container_holds)
]
"""Owner, equipment category, serial number and check digit of a freight container (ISO 6346)."""

ShipNumber = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{6}$"), keeps(_SHIP_DIGIT, ship_holds)]
"""A ship's number under the IMO scheme (resolution A.1117(30)), without the letters ``IMO``."""

Mode = Literal["sea", "road", "rail", "air", "post", "courier", "pipeline", "inland-waterway", "on-foot", "unknown"]
"""How it travels (UNECE recommendation 19)."""


class Seal(Part):
    """A mechanical seal (ISO 17712)."""

    number: Code
    state: Literal["intact", "broken", "missing", "replaced", "number-differs"]


class Container(Part):
    """A freight container; ``sizeType`` is its code under ISO 6346, such as ``45G1``."""

    number: ContainerNumber
    sizeType: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{4}$")] | None = None
    seals: Annotated[tuple[Seal, ...], many(8)] = ()


class Goods(Part):
    """Goods as declared; ``hs`` is their Harmonized System code, ``un`` a dangerous good's UN number."""

    description: Label
    hs: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}([0-9]{2}([0-9]{2}([0-9]{2})?)?)?$")] | None = None
    un: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}$")] | None = None
    packages: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    grossKg: Amount | None = None
    origin: JurisdictionField | None = None


class Party(Part):
    """Who has to do with a consignment (WCO Data Model); a shipper is a person as often as a company."""

    role: Literal["shipper", "consignee", "carrier", "forwarder", "broker", "notify-party", "importer", "exporter"]
    name: Annotated[Line, StringConstraints(min_length=1), IDENTIFYING]
    jurisdiction: JurisdictionField
    trusted: Literal["C-TPAT", "PIP", "FAST", "AEO", "CSA", "none"] | None = None


class Conveyance(Part):
    """What carries it: a ship by its IMO number, a flight, a train or a voyage by its own."""

    mode: Mode
    ship: ShipNumber | None = None
    name: Label | None = None
    voyage: Code | None = None
    carrierCode: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,4}$")] | None = None
    origin: Locode | None = None
    destination: Locode | None = None
