"""Alerts to withhold from, and clauses to withhold under; whoever is in them is invented."""

from __future__ import annotations

from typing import Any

from schemas.alerts.catalogue import marked_paths
from schemas.alerts.marks import Mark
from schemas.decisions import ClauseRef, Treatment, Withholding
from schemas.ids import AgreementId, AlertId, AlertType, KeyId
from schemas.signing.keys import SigningKey
from schemas.withholding.copies import DerivedCopy, derive
from schemas.withholding.pseudonyms import Pseudonyms
from tests.unit.schemas.alerts.samples import example

Json = dict[str, Any]

CRIME = ClauseRef(AgreementId("ca-qc.us-ny.crime-2008"), 1, "3a")
HEALTH = ClauseRef(AgreementId("ca-qc.us-vt.health"), 2, "7")
ALERT_ID = AlertId("0197d0a4-0000-7000-8000-000000000000")
SECRET = b"the exchange's secret, 32 bytes!"
EXCHANGE = SigningKey.generate(KeyId("exchange.2026-1"), "Ed25519")
SUBMISSION = b"the bytes that the agency signed"

CASE = AlertType("public-health/case-notification/v1")
MISSING = AlertType("law-enforcement/missing-person/v1")
STOLEN = AlertType("law-enforcement/stolen-vehicle/v1")


def case(**members: object) -> Json:
    """Return the case notification with some of its body's members replaced."""
    document = example("public-health.case-notification")
    return {**document, "body": {**document["body"], **members}}


def missing(**members: object) -> Json:
    """Return the missing person with some of the header's members replaced."""
    return {**example("law-enforcement.missing-person"), **members}


def redact(*pointers: str, treatment: Treatment = Treatment.REDACT, under: ClauseRef = CRIME) -> list[Withholding]:
    """Withhold places by their patterns."""
    return [Withholding(pointer, treatment, "", under) for pointer in pointers]


_PERSON = ("name", "aliases", "birthDate", "marks", "documents", "address", "phone", "photographs")
_FIELDS: dict[tuple[AlertType, Mark], tuple[str, ...]] = {
    (CASE, "identifying"): tuple(
        f"/body/patient/{each}" for each in ("name", "birthDate", "residence/municipality", "address", "phone")
    ),
    (CASE, "health"): (
        *(
            f"/body/{each}"
            for each in ("status", "condition", "onset", "diagnosed", "hospitalised", "died", "laboratory")
        ),
        *(f"/body/{each}" for each in ("patient/pregnant", "exposures", "vaccinations", "remarks")),
    ),
    (MISSING, "identifying"): (
        *(f"/body/person/{each}" for each in _PERSON),
        *(f"/body/companions/*/person/{each}" for each in _PERSON),
        *(f"/body/vehicles/*/{each}" for each in ("vin", "plate", "serialNumber")),
    ),
    (MISSING, "health"): tuple(
        f"/body/{who}/{each}" for who in ("person", "companions/*/person") for each in ("medical", "medicalNote")
    ),
    (STOLEN, "identifying"): tuple(f"/body/vehicle/{each}" for each in ("vin", "plate", "serialNumber")),
    (STOLEN, "health"): (),
}
"""Fields of each class but for free text, which is marked as well: here it is left, to be searched."""


def classes(
    alert_type: AlertType, *marks: Mark, treatment: Treatment = Treatment.REDACT, under: ClauseRef = CRIME
) -> list[Withholding]:
    """Withhold the fields of classes, as a decision names their places; the free text stays, unless it tells."""
    return [
        Withholding(path, treatment, mark, under)
        for mark in marks
        for path in marked_paths(alert_type, mark)
        if path in _FIELDS[alert_type, mark]
    ]


def copy_of(document: Json, withholdings: list[Withholding], *, secret: bytes = SECRET) -> DerivedCopy:
    """Derive a copy that lacks something."""
    copy = derive(
        document,
        alert_type=AlertType(document["type"]),
        withholdings=withholdings,
        alert_id=ALERT_ID,
        original=SUBMISSION,
        pseudonyms=Pseudonyms(secret),
    )
    assert copy is not None
    return copy


def left_of(document: Json, withholdings: list[Withholding]) -> Json:
    """Return what is left of a document."""
    alert = copy_of(document, withholdings).alert
    assert isinstance(alert, dict)
    return alert
