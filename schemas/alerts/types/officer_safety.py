"""Dangers to officers: who or what threatens them; RISS officer-safety bulletins and NCIC's Violent Person File."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import many
from schemas.alerts.firearms import Firearm
from schemas.alerts.header import TypeName
from schemas.alerts.places import Scene
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType

Hazard = Literal[
    "ambush",
    "armed-person",
    "assault-on-officer",
    "body-armour",
    "booby-trap",
    "explosives",
    "vehicle-ramming",
    "fleeing-driver",
    "barricade",
    "dangerous-animal",
    "toxic-substance",
    "concealed-weapon",
    "laser",
    "drone",
    "surveillance-of-officers",
    "personal-details-published",
    "threat-to-kill",
    "impersonation-of-police",
    "anti-authority-extremist",
]


class OfficerSafety(Matter):
    """The danger, and by what an officer recognises it: a person, a vehicle, a place."""

    hazards: Annotated[tuple[Hazard, ...], many(19, least=1)]
    approach: Literal["do-not-approach-alone", "tactical-unit-only", "caution", "avoid", "report-only"]
    validity: Period
    involved: Annotated[tuple[Involved, ...], many(32)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(32)] = ()
    firearms: Annotated[tuple[Firearm, ...], many(32)] = ()
    scenes: Annotated[tuple[Scene, ...], many(32)] = ()

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if not (self.involved or self.vehicles or self.scenes) and _RECOGNISABLE.isdisjoint(self.hazards):
            yield _NOTHING_TO_RECOGNISE.at("involved")


class OfficerSafetyAlert(AlertAboutPerson):
    """Officers are in danger."""

    title: ClassVar[Bilingual] = Bilingual(fr="Sécurité des agents", en="Officer safety")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/officer-safety/v1"))]
    body: OfficerSafety


_RECOGNISABLE: Final = frozenset({"concealed-weapon", "booby-trap", "toxic-substance", "impersonation-of-police"})
"""Dangers that an officer recognises by themselves."""

_NOTHING_TO_RECOGNISE: Final = Rule(
    "nothing-to-recognise",
    Bilingual(
        fr="Il faut une personne, un véhicule ou un lieu à quoi reconnaître ce danger.",
        en="This danger needs a person, a vehicle or a place to be recognised by.",
    ),
)
