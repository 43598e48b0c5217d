# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Requests for resources: EDXL-RM 1.0's RequestResource, as the compact's REQ-A asks it; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import Code, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.mutual_aid import Costs, Credentials, RequestName, ResourceLine, Support
from schemas.alerts.persons import Contact
from schemas.alerts.places import Crossing, Locality
from schemas.alerts.rules import BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType

Event = Literal[
    "flood",
    "ice-storm",
    "snowstorm",
    "hurricane",
    "wildfire",
    "earthquake",
    "landslide",
    "heat",
    "pandemic",
    "hazardous-materials",
    "nuclear",
    "power-failure",
    "mass-casualties",
    "terrorism",
    "search",
    "animal-disease",
    "exercise",
    "other",
]


class ResourceRequest(Body):
    """Who asks for what, for which event, from when until when, and where it is to report."""

    request: RequestName
    compact: Literal["IEMAC", "EMAC", "PNEMA", "bilateral", "none"]
    declaration: Code | None = None
    event: Event
    priority: Literal["life-saving", "life-sustaining", "property", "recovery"]
    functions: Annotated[tuple[Support, ...], many(15)] = ()
    resources: Annotated[tuple[ResourceLine, ...], many(256, least=1)]
    period: Period
    reportTo: Locality
    crossing: Crossing | None = None
    credentials: Credentials = ()
    conditions: Annotated[
        tuple[
            Literal[
                "no-power",
                "no-water",
                "roads-damaged",
                "extreme-cold",
                "extreme-heat",
                "contamination",
                "civil-unrest",
                "lodging-provided",
                "meals-provided",
                "fuel-provided",
                "french-needed",
                "english-needed",
            ],
            ...,
        ],
        many(12),
    ] = ()
    costs: Costs | None = None
    contact: Contact

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        lines = [resource.line for resource in self.resources]
        if len(set(lines)) != len(lines):
            yield _LINES_REPEATED.at("resources")
        if self.compact in ("IEMAC", "EMAC") and self.declaration is None and self.event != "exercise":
            yield _UNDECLARED.at("declaration")


class ResourceRequestAlert(Alert):
    """A jurisdiction asks others for help; Cancel withdraws the request."""

    title: ClassVar[Bilingual] = Bilingual(fr="Demande de ressources", en="Resource request")

    type: Annotated[AlertType, TypeName(AlertType("emergency-management/resource-request/v1"))]
    body: ResourceRequest


_LINES_REPEATED: Final = Rule(
    "lines-repeated",
    Bilingual(
        fr="Chaque ligne d'une demande a son propre numéro.", en="Each line of a request has a number of its own."
    ),
)
_UNDECLARED: Final = Rule(
    "declaration-missing",
    Bilingual(
        fr="Le pacte exige une déclaration d'état d'urgence, sauf pour un exercice.",
        en="The compact requires a declaration of emergency, except for an exercise.",
    ),
)
