# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Stolen vehicles, as entered in NCIC's Vehicle File and in CPIC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutBelongings
from schemas.alerts.fields import CapTime, Line, Part, Words, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.marks import IDENTIFYING
from schemas.alerts.persons import Contact, RecordNumber, Sighting
from schemas.alerts.rules import BrokenRule
from schemas.alerts.vehicles import Vehicle, advice_on
from schemas.bilingual import Bilingual
from schemas.ids import AlertType


class Theft(Part):
    """When, where and how it was taken; the theft lies between ``after`` and ``before``."""

    after: CapTime | None = None
    before: CapTime | None = None
    place: Annotated[Words | None, IDENTIFYING] = None
    method: (
        Literal[
            "keys",
            "relay-attack",
            "onboard-port",
            "carjacking",
            "break-in",
            "towed",
            "fraud",
            "not-returned",
            "unknown",
        ]
        | None
    ) = None


class StolenVehicle(Body):
    """The vehicle, and what is known of its theft. It is named by its VIN, its plate or another serial number."""

    vehicle: Vehicle
    circumstances: Annotated[Words, IDENTIFYING]
    theft: Theft | None = None
    cautions: Annotated[
        tuple[Literal["armed-occupants", "violent-occupants", "hazardous-cargo", "child-aboard", "tracked"], ...],
        many(5),
    ] = ()
    holdForFingerprints: bool = False
    lastSeen: Sighting | None = None
    caseNumber: Line | None = None
    records: Annotated[tuple[RecordNumber, ...], many(16)] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.vehicle.vin is None and self.vehicle.plate is None and self.vehicle.serialNumber is None:
            yield _UNIDENTIFIED


class StolenVehicleAlert(AlertAboutBelongings):
    """A vehicle was stolen; found, it is to be held."""

    title: ClassVar[Bilingual] = Bilingual(fr="Véhicule volé", en="Stolen vehicle")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/stolen-vehicle/v1"))]
    body: StolenVehicle

    def advice(self) -> tuple[Bilingual, ...]:
        """Return what the sender may want to look at again although nothing forbids it."""
        return advice_on(self.body.vehicle)


_UNIDENTIFIED: Final = BrokenRule(
    ("vehicle",),
    "vehicle-not-identified",
    Bilingual(
        fr="Un véhicule volé doit avoir un numéro d'identification, une plaque ou un autre numéro de série.",
        en="A stolen vehicle must have an identification number, a plate or another serial number.",
    ),
)
