# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Disruptions of critical infrastructure: DOE's OE-417, NERC's energy alerts, Canada's ten sectors; no persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.fields import Amount, CapTime, Code, Count, Label, Part, many
from schemas.alerts.header import Alert, Body, TypeName
from schemas.alerts.organisations import Sector
from schemas.alerts.persons import Contact
from schemas.alerts.places import Locality
from schemas.alerts.rules import PART_ABOVE_WHOLE, BrokenRule, Rule
from schemas.alerts.times import Period
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Facility(Part):
    """What does not work as it should; ``tie`` is an interconnection that two jurisdictions share."""

    name: Label
    kind: Literal[
        "generation", "transmission-line", "substation", "tie", "distribution", "pipeline", "refinery", "dam",
        "water-treatment", "telephone-exchange", "fibre", "cell-sites", "emergency-call-centre", "data-centre",
        "hospital", "airport", "port", "bridge", "railway", "road", "payment-system", "other",
    ]  # fmt: skip
    state: Literal["down", "degraded", "at-risk", "restored"]
    localities: Annotated[tuple[Locality, ...], many(16)] = ()
    voltageKv: Amount | None = None
    lostMw: Amount | None = None


class Customers(Part):
    """How many are without service now, how many were at the worst, how many there are; by jurisdiction."""

    jurisdiction: JurisdictionField
    without: Count
    peak: Count | None = None
    served: Count | None = None


class InfrastructureDisruption(Body):
    """Which service is hit, why, how far, until when, and what depends on it."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    operator: Label
    sector: Sector
    state: Literal["threatened", "under-way", "partly-restored", "restored", "unfounded"]
    cause: Literal[
        "weather",
        "ice",
        "wildfire",
        "flood",
        "geomagnetic-storm",
        "equipment-failure",
        "human-error",
        "cyber-attack",
        "physical-attack",
        "vandalism",
        "load-shedding",
        "fuel-shortage",
        "planned",
        "under-investigation",
    ]
    energyAlert: Literal["EEA1", "EEA2", "EEA3"] | None = None
    period: Period
    facilities: Annotated[tuple[Facility, ...], many(128, least=1)]
    customers: Annotated[tuple[Customers, ...], many(64)] = ()
    restorationExpected: CapTime | None = None
    dependents: Annotated[tuple[Sector, ...], many(16)] = ()
    measures: Annotated[
        tuple[
            Literal[
                "load-reduction-appeal",
                "rotating-outages",
                "imports-raised",
                "exports-cut",
                "crews-requested",
                "backup-power",
                "rerouting",
                "warming-centres",
                "site-secured",
            ],
            ...,
        ],
        many(9),
    ] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        for number, each in enumerate(self.customers):
            if each.peak is not None and each.without > each.peak:
                yield PART_ABOVE_WHOLE.at("customers", number, "without")
            if each.served is not None and max(each.without, each.peak or 0) > each.served:
                yield PART_ABOVE_WHOLE.at("customers", number, "served")
        if self.state == "restored" and (
            any(each.without for each in self.customers) or any(each.state == "down" for each in self.facilities)
        ):
            yield _RESTORED_AND_DOWN.at("state")
        if self.energyAlert is not None and self.sector != "energy-and-utilities":
            yield _ENERGY_ALERT_ELSEWHERE.at("energyAlert")


class InfrastructureDisruptionAlert(Alert):
    """A service that others depend on fails, or is threatened."""

    title: ClassVar[Bilingual] = Bilingual(
        fr="Perturbation d'une infrastructure essentielle", en="Infrastructure disruption"
    )

    type: Annotated[AlertType, TypeName(AlertType("emergency-management/infrastructure-disruption/v1"))]
    body: InfrastructureDisruption


_RESTORED_AND_DOWN: Final = Rule(
    "restored-and-down",
    Bilingual(
        fr="Un service rétabli n'a plus d'abonnés privés ni d'installation en panne.",
        en="A service that is restored has no customers without it and nothing down.",
    ),
)
_ENERGY_ALERT_ELSEWHERE: Final = Rule(
    "energy-alert-elsewhere",
    Bilingual(
        fr="Seul le secteur de l'énergie a des alertes d'urgence énergétique (EEA).",
        en="The energy sector alone has energy emergency alerts (EEA).",
    ),
)
