# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Results of a laboratory for one patient: an electronic laboratory report (ELR, FHIR R4 DiagnosticReport)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, ClassVar, Final, Literal

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import Date, Part, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.health import Coding, LaboratoryResult, Patient, RecordId
from schemas.alerts.marks import HEALTH, IDENTIFYING
from schemas.alerts.organisations import Laboratory
from schemas.alerts.persons import Contact, Narrative
from schemas.alerts.rules import BrokenRule, Rule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Specimen(Part):
    """What was taken from the patient (ELR's SPM segment); ``accession`` is the laboratory's number for it."""

    accession: Annotated[RecordId, IDENTIFYING]
    kind: Annotated[Coding, HEALTH]
    site: Annotated[Coding | None, HEALTH] = None
    collected: Date | None = None
    received: Date | None = None


class LaboratoryReport(Body):
    """A report, known by its number and the jurisdiction that reports it; ``caseRecordId`` is the case it is about."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    status: Literal["registered", "partial", "preliminary", "final", "amended", "corrected", "cancelled"]
    laboratory: Laboratory
    patient: Patient
    caseRecordId: RecordId | None = None
    condition: Annotated[Coding | None, HEALTH] = None
    specimen: Specimen
    results: Annotated[tuple[LaboratoryResult, ...], many(256), HEALTH] = ()
    reported: Date
    critical: Annotated[bool, HEALTH] = False
    remarks: Narrative | None = None
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        days = [
            ("collected", self.specimen.collected),
            ("received", self.specimen.received),
            ("reported", self.reported),
        ]
        known = [(name, day) for name, day in days if day is not None]
        for (_, earlier), (name, later) in pairwise(known):
            if later < earlier:
                yield _OUT_OF_ORDER.at(*(("reported",) if name == "reported" else ("specimen", name)))
        if self.status in ("final", "amended", "corrected"):
            if not self.results:
                yield _FINAL_WITHOUT_RESULT.at("results")
            for number, result in enumerate(self.results):
                if result.result == "pending":
                    yield _FINAL_AND_PENDING.at("results", number, "result")


class LaboratoryResultAlert(AlertAboutPerson):
    """A laboratory found something that another jurisdiction must know."""

    title: ClassVar[Bilingual] = Bilingual(fr="Résultat de laboratoire", en="Laboratory result")

    type: Annotated[AlertType, TypeName(AlertType("public-health/laboratory-result/v1"))]
    body: LaboratoryReport


_OUT_OF_ORDER: Final = Rule(
    "days-out-of-order",
    Bilingual(
        fr="Un prélèvement se fait, puis se reçoit, puis se déclare.",
        en="A specimen is collected, then received, then reported.",
    ),
)
_FINAL_WITHOUT_RESULT: Final = Rule(
    "final-without-result", Bilingual(fr="Un rapport final a un résultat.", en="A final report has a result.")
)
_FINAL_AND_PENDING: Final = Rule(
    "final-and-pending",
    Bilingual(fr="Un rapport final n'a plus de résultat en attente.", en="A final report has no result pending."),
)
