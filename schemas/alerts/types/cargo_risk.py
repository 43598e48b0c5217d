# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Risks in cargo: containers and consignments that CBSA and CBP target (Container Security Initiative, C-TPAT, PIP)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutBelongings
from schemas.alerts.cargo import Container, Conveyance, Goods, Party
from schemas.alerts.fields import CapTime, Code, Part, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.persons import Contact
from schemas.alerts.places import Crossing, Locode
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField

Risk = Literal[
    "contraband",
    "drugs",
    "firearms",
    "explosives",
    "radiological",
    "nuclear",
    "chemical",
    "biological",
    "strategic-goods",
    "sanctioned-goods",
    "undeclared-dangerous-goods",
    "stolen-vehicles",
    "counterfeit-goods",
    "forced-labour-goods",
    "plant-or-animal-pest",
    "stowaways",
    "seal-tampering",
    "misdeclared-weight",
    "false-documents",
]


class Consignment(Part):
    """What travels together: one bill of lading, waybill or cargo control document."""

    bill: Code | None = None
    containers: Annotated[tuple[Container, ...], many(256)] = ()
    goods: Annotated[tuple[Goods, ...], many(256)] = ()
    parties: Annotated[tuple[Party, ...], many(32)] = ()
    conveyance: Conveyance | None = None
    arrives: CapTime | None = None


class Examination(Part):
    """What was done to see what is in it."""

    kind: Literal["document-review", "x-ray", "gamma-ray", "radiation-portal", "canine", "physical", "sampling"]
    outcome: Literal["nothing-found", "anomaly", "contraband-found", "inconclusive", "pending"]
    at: CapTime | None = None


class CargoRisk(Body):
    """The consignments, what is feared of them, and what is asked or was done."""

    reference: Code
    reportingJurisdiction: JurisdictionField
    risks: Annotated[tuple[Risk, ...], many(19, least=1)]
    confidence: Literal["low", "medium", "high", "confirmed"]
    basis: Literal["targeting-rule", "intelligence", "examination", "partner-report", "random", "carrier-report"]
    consignments: Annotated[tuple[Consignment, ...], many(64, least=1)]
    port: Locode | None = None
    crossing: Crossing | None = None
    action: Literal["do-not-load", "hold", "examine", "scan", "monitor", "escort", "release", "return", "destroy"]
    examinations: Annotated[tuple[Examination, ...], many(32)] = ()
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        for number, each in enumerate(self.consignments):
            if each.bill is None and not each.containers:
                yield _NOT_IDENTIFIED.at("consignments", number)
        if self.confidence == "confirmed" and not any(each.outcome in _FOUND for each in self.examinations):
            yield _CONFIRMED_UNSEEN.at("examinations")


class CargoRiskAlert(AlertAboutBelongings):
    """Cargo must be looked at before it goes on."""

    title: ClassVar[Bilingual] = Bilingual(fr="Risque lié à une cargaison", en="Cargo risk")

    type: Annotated[AlertType, TypeName(AlertType("law-enforcement/cargo-risk/v1"))]
    body: CargoRisk


_FOUND: Final = ("anomaly", "contraband-found")
_NOT_IDENTIFIED: Final = Rule(
    "consignment-not-identified",
    Bilingual(
        fr="Un envoi doit avoir un connaissement ou un conteneur.",
        en="A consignment must have a bill of lading or a container.",
    ),
)
_CONFIRMED_UNSEEN: Final = Rule(
    "confirmed-unseen",
    Bilingual(
        fr="Un risque confirmé l'a été par un examen qui a trouvé quelque chose.",
        en="A risk that is confirmed was so by an examination that found something.",
    ),
)
