# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Single cases of a notifiable disease, as FHIR's electronic case report and the NNDSS message guides describe them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from schemas.alerts.about import AlertAboutPerson
from schemas.alerts.fields import Date, Part, Words, YesNo, many
from schemas.alerts.header import Body, TypeName
from schemas.alerts.health import Coding, LaboratoryResult, Patient, RecordId
from schemas.alerts.marks import HEALTH, IDENTIFYING
from schemas.alerts.persons import Contact, Narrative
from schemas.alerts.rules import BrokenRule
from schemas.bilingual import Bilingual
from schemas.ids import AlertType, JurisdictionField


class Exposure(Part):
    """Where the patient may have been infected, or may have infected others."""

    role: Literal["source", "onward"]
    place: Annotated[Words, IDENTIFYING]
    jurisdiction: JurisdictionField
    after: Date | None = None
    before: Date | None = None


class Vaccination(Part):
    """A vaccination against the condition."""

    vaccine: Coding
    given: Date | None = None
    dose: Annotated[int, Field(ge=1, le=20)] | None = None


class CaseNotification(Body):
    """A case, known by its local record id and the jurisdiction that reports it; ``not-a-case`` withdraws it."""

    localRecordId: RecordId
    reportingJurisdiction: JurisdictionField
    status: Annotated[Literal["suspect", "probable", "confirmed", "not-a-case"], HEALTH]
    condition: Annotated[Coding, HEALTH]
    patient: Patient
    reported: Date
    onset: Annotated[Date | None, HEALTH] = None
    diagnosed: Annotated[Date | None, HEALTH] = None
    hospitalised: Annotated[YesNo | None, HEALTH] = None
    died: Annotated[YesNo | None, HEALTH] = None
    acquired: Literal["within-jurisdiction", "other-jurisdiction", "abroad", "unknown"] | None = None
    laboratory: Annotated[tuple[LaboratoryResult, ...], many(64), HEALTH] = ()
    exposures: Annotated[tuple[Exposure, ...], many(64), HEALTH] = ()
    vaccinations: Annotated[tuple[Vaccination, ...], many(32), HEALTH] = ()
    outbreak: RecordId | None = None
    remarks: Narrative | None = None
    contact: Contact | None = None

    def rules(self) -> Iterator[BrokenRule]:
        """Yield the rules among the body's own members that do not hold."""
        if self.onset is not None and self.onset > self.reported:
            yield _ONSET_AFTER_REPORT


class CaseNotificationAlert(AlertAboutPerson):
    """A case of a notifiable disease concerns another jurisdiction."""

    title: ClassVar[Bilingual] = Bilingual(
        fr="Déclaration d'un cas de maladie à déclaration obligatoire", en="Notifiable disease case"
    )

    type: Annotated[AlertType, TypeName(AlertType("public-health/case-notification/v1"))]
    body: CaseNotification


_ONSET_AFTER_REPORT: Final = BrokenRule(
    ("onset",),
    "onset-after-report",
    Bilingual(fr="Les symptômes ne peuvent débuter après la déclaration.", en="Symptoms can't begin after the report."),
)
