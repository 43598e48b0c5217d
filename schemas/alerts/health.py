# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Terms of public health surveillance: FHIR's electronic case report (eCR) and the NNDSS message guides, in words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.alerts.fields import BilingualText, Date, Line, Part, Words, YesNo
from schemas.alerts.marks import HEALTH, IDENTIFYING
from schemas.alerts.persons import Narrative, PersonName
from schemas.ids import JurisdictionField

RecordId = Annotated[Line, StringConstraints(min_length=1, max_length=64)]
"""The name of a case or an outbreak in the file of the jurisdiction that reports it."""


class Coding(Part):
    """A concept of a published code system (FHIR Coding): ``NNDSS`` and ``10110`` for hepatitis A."""

    system: Literal["NNDSS", "SNOMED-CT", "ICD-10", "ICD-10-CA", "LOINC", "CVX", "NCBI-TAXONOMY", "local"]
    code: Annotated[Line, StringConstraints(min_length=1, max_length=64)]
    display: BilingualText


class LaboratoryResult(Part):
    """A test on a specimen, as an electronic laboratory report says it (ELR)."""

    test: Coding
    result: Annotated[Literal["positive", "negative", "indeterminate", "pending"], HEALTH]
    organism: Annotated[Coding | None, HEALTH] = None
    specimen: Line | None = None
    collected: Date | None = None
    laboratory: Line | None = None
    sequenceId: Line | None = None
    remarks: Narrative | None = None


class Residence(Part):
    """Where the patient lives, as precisely as the agreement allows; ``postalArea`` is an FSA or a three-digit ZIP."""

    jurisdiction: JurisdictionField
    municipality: Annotated[Line | None, IDENTIFYING] = None
    postalArea: Annotated[str, StringConstraints(pattern=r"^([A-Z][0-9][A-Z]|[0-9]{3})$")] | None = None


class Patient(Part):
    """The patient. De-identified, one has neither name, birth date, address, phone nor occupation."""

    name: Annotated[PersonName | None, IDENTIFYING] = None
    birthDate: Annotated[Date | None, IDENTIFYING] = None
    age: Annotated[int, Field(ge=0, le=130)] | None = None
    sex: Literal["female", "male", "other", "unknown"]
    residence: Residence | None = None
    address: Annotated[Words | None, IDENTIFYING] = None
    phone: Annotated[Line | None, IDENTIFYING] = None
    occupation: Annotated[Line | None, IDENTIFYING] = None
    pregnant: Annotated[YesNo | None, HEALTH] = None
