"""Agreements, signatures and alerts for the tests, made as the product makes them: parsed, signed, verified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, TypeAlias, cast

from agreements.document import Agreement
from agreements.routes import Candidate
from agreements.signed import VerifiedAgreement, agreement_bytes, read_signed
from agreements.snapshot import Snapshot
from agreements.steps import LoggedStep, Step, document_digest, read_step, sign_step
from schemas.alerts.catalogue import parse_alert
from schemas.alerts.header import Alert
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, AlertType, JurisdictionCode, KeyId, ParticipantId, home_of
from schemas.signing.canonical import canonical_bytes
from schemas.signing.jws import AGREEMENT, join_signatures, sign_compact
from schemas.signing.keys import SigningKey
from schemas.signing.strict_json import JsonValue
from schemas.statements import Jurisdiction
from schemas.timestamps import utc_text

NOW: Final = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SIGNED_AT: Final = 1_767_225_600
WARNING: Final = AlertType("emergency-management/public-warning/v1")
QC, NY, VT, ME = (JurisdictionCode(code) for code in ("CA-QC", "US-NY", "US-VT", "US-ME"))
SQ, MSP, NYSP, DOH, VSP, MAINE = (
    ParticipantId(name) for name in ("ca-qc.sq", "ca-qc.msp", "us-ny.nysp", "us-ny.doh", "us-vt.vsp", "us-me.msp")
)
EVERYONE: Final = (SQ, MSP, NYSP, DOH, VSP, MAINE)

Json: TypeAlias = dict[str, object]


@cache
def authority(code: JurisdictionCode) -> SigningKey:
    """Return the authority key of a jurisdiction, made once for all tests."""
    return SigningKey.generate(KeyId(f"{code}.authority"), "Ed25519")


@cache
def jurisdictions() -> dict[JurisdictionCode, Jurisdiction]:
    """Return the pinned jurisdictions."""
    return {
        code: Jurisdiction.model_validate(
            {"code": code, "name": {"fr": code, "en": code}, "authority_keys": [dict(authority(code).public.jwk)]}
        )
        for code in (QC, NY, VT, ME)
    }


def condition(tag: str, *allowed: str) -> Json:
    """Return a condition that allows some values, or for ``tlp`` the ceiling."""
    return {"condition": tag, "ceiling": allowed[0]} if tag == "tlp" else {"condition": tag, "in": list(allowed)}


ALWAYS: Final[tuple[Json, ...]] = (condition("status", "Actual"), condition("tlp", "AMBER"))


def grant(clause: str = "1.1", *conditions: Json, lane: str | None = None, **changes: object) -> Json:
    """Return a clause from Québec to New York, for actual public warnings up to AMBER, with more conditions."""
    value: Json = {
        "clause": clause,
        "from": ["CA-QC"],
        "to": ["US-NY"],
        "types": [WARNING],
        "conditions": [*ALWAYS, *conditions],
    }
    if lane is not None:
        value["obligations"] = [{"obligation": "lane", "lane": lane}]
    return {**value, **changes}


def document(*grants: Json, **changes: object) -> Json:
    """Return an agreement between Québec and New York, in force in 2026, with these clauses."""
    text = {"fr": "Texte.", "en": "Text."}
    return {
        "agreement": "lacolle.agreement/v1",
        "id": "ca-qc.us-ny.test",
        "version": 1,
        "title": text,
        "purpose": text,
        "legal_basis": text,
        "privacy_assessment": text,
        "parties": ["CA-QC", "US-NY"],
        "valid": {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"},
        "grants": list(grants) or [grant()],
        **changes,
    }


def canonical(value: Json) -> bytes:
    """Return the bytes that a value is signed as."""
    return canonical_bytes(cast("JsonValue", value))


def agreement(value: Json) -> Agreement:
    """Return the agreement that a value says."""
    return Agreement.model_validate_json(canonical(value))


def signature(payload: bytes, code: JurisdictionCode, *, key: SigningKey | None = None) -> bytes:
    """Return a jurisdiction's signature over an agreement's bytes."""
    return sign_compact(payload, key=key or authority(code), profile=AGREEMENT, iat=SIGNED_AT)


def signed_file(value: Json) -> bytes:
    """Return an agreement's file, signed by every party."""
    read = agreement(value)
    return join_signatures([signature(agreement_bytes(read), party) for party in read.parties])


def verified(value: Json) -> VerifiedAgreement:
    """Return an agreement that every party signed, read back from its file."""
    return VerifiedAgreement(read_signed(signed_file(value), jurisdictions()))


def step(
    kind: str, party: JurisdictionCode, minutes: float, *, of: VerifiedAgreement | None = None, **changes: object
) -> LoggedStep:
    """Return a party's step about an agreement, signed and logged so many minutes after ``NOW``."""
    about = verified(document()) if of is None else of
    at = NOW + timedelta(minutes=minutes)
    value = Step.model_validate(
        {
            "agreement": about.document.id,
            "version": about.document.version,
            "digest": document_digest(about.signed.payload),
            "step": kind,
            "party": party,
            "at": utc_text(at),
            **changes,
        }
    )
    return LoggedStep(read_step(sign_step(value, authority(party)), jurisdictions()), at)


def candidates(*names: ParticipantId) -> tuple[Candidate, ...]:
    """Return receivers as a snapshot takes them."""
    return tuple((name, home_of(name)) for name in names)


def snapshot(*values: Json, receivers: tuple[ParticipantId, ...] = EVERYONE) -> Snapshot:
    """Return the snapshot of complete agreements."""
    return Snapshot.of(candidates(*receivers), [verified(value) for value in values])


def info(**changes: object) -> Json:
    """Return an info block."""
    return {
        "language": "fr-CA",
        "category": ["Safety"],
        "event": "Crue",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Observed",
        **changes,
    }


def alert(*blocks: Json, tlp: str = "GREEN", **changes: object) -> Alert:
    """Return a public warning of Québec's police with these info blocks, none unless given."""
    value: Json = {
        "type": WARNING,
        "identifier": "SQ-1",
        "sender": SQ,
        "sent": "2026-06-01T08:00:00-04:00",
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
        "handling": {"tlp": tlp, "purpose": "public-safety"},
        "info": list(blocks),
        "body": {},
        **changes,
    }
    return parse_alert(cast("JsonValue", value))


def following(kind: str, *blocks: Json, tlp: str = "GREEN", **changes: object) -> Alert:
    """Return an Update or a Cancel of the alert."""
    reference = f"{SQ},SQ-1,2026-06-01T08:00:00-04:00"
    return alert(*blocks, tlp=tlp, identifier="SQ-2", msgType=kind, references=[reference], **changes)


def ref(clause: str = "1.1", *, version: int = 1, name: str = "ca-qc.us-ny.test") -> ClauseRef:
    """Return a clause's reference."""
    return ClauseRef(agreement=AgreementId(name), version=version, clause=clause)
