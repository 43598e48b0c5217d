# ruff: noqa: N815 - members are named alike in every type, as CAP's are
"""Terms of public health surveillance: FHIR's electronic case report (eCR) and the NNDSS message guides, in words."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from schemas.alerts.fields import BilingualText, Date, Line, Part, Words
from schemas.alerts.marks import HEALTH

RecordId = Annotated[Line, StringConstraints(min_length=1, max_length=64)]
"""The name of a case or an outbreak in the file of the jurisdiction that reports it."""

YesNo = Literal["yes", "no", "unknown"]
"""FHIR and NNDSS never leave "not asked" to be read as "no"."""


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
    remarks: Annotated[Words | None, HEALTH] = None
