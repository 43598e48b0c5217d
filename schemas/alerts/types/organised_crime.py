"""Criminal groups, as in CISC's assessments and NCIC's Gang File: the UN's Palermo Convention (2000)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import Label, Part, many
from schemas.alerts.header import TypeName
from schemas.alerts.organisations import Organisation
from schemas.alerts.places import Scene
from schemas.alerts.police import Involved, Matter
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.vehicles import Vehicle
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Activity = Literal[
    "drug-trafficking",
    "firearm-trafficking",
    "human-trafficking",
    "migrant-smuggling",
    "money-laundering",
    "extortion",
    "loan-sharking",
    "illegal-gambling",
    "vehicle-theft-and-export",
    "cargo-theft",
    "contraband-tobacco",
    "counterfeiting",
    "cybercrime",
    "fraud",
    "corruption",
    "contract-killing",
    "environmental-crime",
    "arson",
]


class Group(Part):
    """A structured group of three or more persons that exists for a time (Palermo Convention, article 2(a))."""

    name: Label
    kind: Literal["outlaw-motorcycle", "mafia", "street-gang", "prison-gang", "cartel", "network", "cell", "other"]
    threat: Literal["high", "medium", "low", "unknown"] = "unknown"
    members: Annotated[int, Field(ge=3, le=1_000_000)] | None = None
    territories: Annotated[tuple[JurisdictionField, ...], many(64)] = ()
    allies: Annotated[tuple[Label, ...], many(32)] = ()
    rivals: Annotated[tuple[Label, ...], many(32)] = ()


class OrganisedCrime(Matter):
    """The group, what it does, who and what belongs to it."""

    group: Group
    activities: Annotated[tuple[Activity, ...], many(18, least=1)]
    development: Literal[
        "expansion", "conflict", "new-alliance", "succession", "planned-offence", "displacement", "other"
    ]
    involved: Annotated[tuple[Involved, ...], many(128)] = ()
    fronts: Annotated[tuple[Organisation, ...], many(64)] = ()
    vehicles: Annotated[tuple[Vehicle, ...], many(64)] = ()
    scenes: Annotated[tuple[Scene, ...], many(64)] = ()

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.development == "conflict" and not self.group.rivals:
            yield _CONFLICT_WITHOUT_RIVAL.at("group", "rivals")


class OrganisedCrimeAlert(AlertAboutPerson):
    """A criminal group does something that concerns another jurisdiction."""

    title: ClassVar[Bilingual] = Bilingual(fr="Crime organisé", en="Organised crime")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/organised-crime/v1"))]
    body: OrganisedCrime


_CONFLICT_WITHOUT_RIVAL: Final = Rule(
    "conflict-without-rival",
    Bilingual(fr="Un conflit oppose le groupe à un rival nommé.", en="A conflict is with a rival that has a name."),
)
