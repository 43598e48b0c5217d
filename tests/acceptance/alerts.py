"""Alerts as agencies write them from the wire contract: plain dictionaries with today's times."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from tests.acceptance.independent import Document

EASTERN: Final = timezone(timedelta(hours=-5))
_NUMBERS: Final = itertools.count(1)
_RUN: Final = os.urandom(4).hex()


def cap_time(at: datetime) -> str:
    """Return an instant in CAP's form: whole seconds and a numeric offset, never ``Z`` (CAP 1.2 section 3.3.2)."""
    return at.astimezone(EASTERN).isoformat(timespec="seconds")


def from_now(**duration: float) -> str:
    """Return the time, in CAP's form, that a ``timedelta`` of these members leads to from now."""
    return cap_time(datetime.now(tz=UTC) + timedelta(**duration))


def new_identifier() -> str:
    """Return an identifier that no alert of this run has had."""
    return f"T-{_RUN}-{next(_NUMBERS):06d}"


def changed(document: Mapping[str, Any], changes: Mapping[str, Any]) -> Document:
    """Return a document with members replaced; a name with dots goes into objects and, by number, into lists."""
    result: Document = dict(document)
    for path, value in changes.items():
        outer, _, inner = path.partition(".")
        if not inner:
            result[outer] = value
        elif isinstance(result[outer], list):
            items = [*result[outer]]
            number, _, rest = inner.partition(".")
            items[int(number)] = changed(items[int(number)], {rest: value})
            result[outer] = items
        else:
            result[outer] = changed(result[outer], {inner: value})
    return result


def without(document: Mapping[str, Any], *names: str) -> Document:
    """Return a document that lacks some of its members."""
    return {name: value for name, value in document.items() if name not in names}


def stolen_vehicle(changes: Mapping[str, Any] | None = None, *, sender: str = "ca-qc.sq") -> Document:
    """Return the wire contract's example: a stolen vehicle that the Sûreté du Québec tells its neighbours of."""
    return _alert(
        "law-enforcement/stolen-vehicle/v1",
        sender,
        category="Security",
        event="Véhicule volé",
        body={
            "vehicle": {
                "vin": "1M8GDM9AXKP042788",
                "plate": {"number": "H42 LKJ", "jurisdiction": "CA-QC"},
                "make": "Toyota",
                "model": "RAV4",
                "year": 2021,
                "colour": "gris",
            },
            "circumstances": "Volé dans un stationnement de Lacolle.",
        },
        changes=changes,
    )


def wanted_person(changes: Mapping[str, Any] | None = None, *, sender: str = "ca-qc.sq") -> Document:
    """Return a person wanted on a warrant of a court of Québec."""
    warrant = {
        "number": "500-01-000001-266",
        "kind": "arrest",
        "issued": "2026-01-05",
        "court": "Cour du Québec",
        "jurisdiction": "CA-QC",
        "offences": [{"description": {"fr": "Vol qualifié", "en": "Robbery"}}],
        "extradition": "full",
    }
    return _alert(
        "law-enforcement/wanted-person/v1",
        sender,
        category="Security",
        event="Personne recherchée",
        body={
            "person": {"name": {"surname": "Tremblay", "given": "Jean"}, "age": 41},
            "warrants": [warrant],
            "circumstances": "Vu la dernière fois à Saint-Jean-sur-Richelieu.",
        },
        changes=changes,
    )


def outbreak(changes: Mapping[str, Any] | None = None, *, sender: str = "ca-qc.msss") -> Document:
    """Return an outbreak of measles."""
    return _alert(
        "public-health/outbreak/v1",
        sender,
        category="Health",
        event="Éclosion de rougeole",
        body={
            "localRecordId": "MSSS-2026-0001",
            "reportingJurisdiction": "CA-QC",
            "state": "confirmed",
            "condition": {
                "system": "SNOMED-CT",
                "code": "14189004",
                "display": {"fr": "Rougeole", "en": "Measles"},
            },
            "asOf": "2026-01-17",
            "counts": {"confirmed": 4, "suspect": 2},
            "transmission": "airborne",
        },
        changes=changes,
    )


def public_warning(changes: Mapping[str, Any] | None = None, *, sender: str = "ca-qc.msp") -> Document:
    """Return a warning to the public."""
    return _alert(
        "emergency-management/public-warning/v1",
        sender,
        category="Met",
        event="Inondation",
        body={},
        changes={"scope": "Public", "handling.tlp": "CLEAR", **(changes or {})},
    )


def update_of(original: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Document:
    """Return an Update of an alert, under a new identifier."""
    return _successor(original, "Update", changes)


def cancel_of(original: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> Document:
    """Return the Cancel of an alert, under a new identifier."""
    return _successor(original, "Cancel", changes)


def _successor(original: Mapping[str, Any], msg_type: str, changes: Mapping[str, Any] | None) -> Document:
    reference = f"{original['sender']},{original['identifier']},{original['sent']}"
    header = {
        "identifier": new_identifier(),
        "sent": from_now(),
        "msgType": msg_type,
        "references": [*original["references"], reference],
    }
    return changed(original, {**header, **(changes or {})})


def _alert(
    alert_type: str, sender: str, *, category: str, event: str, body: Document, changes: Mapping[str, Any] | None
) -> Document:
    info = {
        "language": "fr-CA",
        "category": [category],
        "event": event,
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Observed",
        "headline": f"{event} à Lacolle",
        "description": "Ceci est un essai.",
        "instruction": "Communiquez avec l'expéditeur.",
        "area": [
            {
                "areaDesc": "Lacolle",
                "polygon": [],
                "circle": [],
                "geocode": [{"valueName": "SGC", "value": "2456060"}],
            }
        ],
    }
    document: Document = {
        "type": alert_type,
        "identifier": new_identifier(),
        "sender": sender,
        "sent": from_now(),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Restricted",
        "references": [],
        "incidents": ["SQ-2026-0117"],
        "addresses": [],
        "expires": from_now(days=2),
        "handling": {
            "tlp": "AMBER",
            "codes": [],
            "purpose": "criminal-investigation",
            "caveat": {"fr": "Ne pas approcher.", "en": "Do not approach."},
        },
        "info": [info],
        "body": body,
    }
    return changed(document, changes or {})
