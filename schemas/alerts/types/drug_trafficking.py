# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Trafficking in drugs: seizures, routes and persons, as UNODC's drug seizure reports and EPIC's describe them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.cargo import Container, Mode
from schemas.alerts.fields import CapTime, Label, Part, many
from schemas.alerts.firearms import Firearm
from schemas.alerts.header import TypeName
from schemas.alerts.money import Sum
from schemas.alerts.places import Crossing, Scene
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.substances import Quantity, Substance
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Concealment = Literal[
    "body",
    "luggage",
    "vehicle-natural-void",
    "vehicle-built-compartment",
    "fuel-tank",
    "tires",
    "cargo",
    "rip-on-rip-off",
    "container-structure",
    "liquid-or-dissolved",
    "food",
    "mail",
    "drone",
    "none",
    "other",
]


class Seizure(Part):
    """Something that was seized at one time and place."""

    at: CapTime
    scene: Scene
    crossing: Crossing | None = None
    substance: Substance
    quantity: Quantity
    concealment: Concealment | None = None
    stamp: Label | None = None


class DrugTrafficking(Matter):
    """What is trafficked, from where to where and how; what was seized; who has to do with it."""

    activity: Literal["import", "export", "transit", "production", "distribution", "diversion", "intelligence"]
    substances: Annotated[tuple[Substance, ...], many(32, least=1)]
    seizures: Annotated[tuple[Seizure, ...], many(128)] = ()
    route: Annotated[tuple[JurisdictionField, ...], many(32)] = ()
    modes: Annotated[tuple[Mode, ...], many(10)] = ()
    streetValue: Sum | None = None
    involved: Annotated[tuple[Involved, ...], many(64)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(32)] = ()
    containers: Annotated[tuple[Container, ...], many(32)] = ()
    firearms: Annotated[tuple[Firearm, ...], many(64)] = ()
    responderHazard: Literal["none", "inhalation", "skin-contact", "needle", "chemical", "explosion"] | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        named = {substance.drugClass for substance in self.substances}
        for number, seizure in enumerate(self.seizures):
            if seizure.substance.drugClass not in named:
                yield _SEIZED_UNNAMED.at("seizures", number, "substance", "drugClass")
        if self.activity == "transit" and len(self.route) < _ENDS:
            yield _TRANSIT_NOWHERE.at("route")


class DrugTraffickingAlert(AlertAboutPerson):
    """Drugs are trafficked between jurisdictions."""

    title: ClassVar[Bilingual] = Bilingual(fr="Trafic de drogues", en="Drug trafficking")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/drug-trafficking/v1"))]
    body: DrugTrafficking


_ENDS: Final = 2
_SEIZED_UNNAMED: Final = Rule(
    "seized-substance-unnamed",
    Bilingual(
        fr="Ce qui a été saisi doit être parmi les substances de l'alerte.",
        en="What was seized must be among the substances of the alert.",
    ),
)
_TRANSIT_NOWHERE: Final = Rule(
    "transit-nowhere",
    Bilingual(
        fr="Un transit va d'un territoire à un autre : il en faut au moins deux.",
        en="Transit is from one jurisdiction to another: at least two are needed.",
    ),
)
