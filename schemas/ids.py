"""The identifiers that cross every boundary, each with the one pattern it must match.

Inside the code an identifier is a ``NewType`` of ``str``; at the edges the ``…Field`` twin checks its shape.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, NewType

from pydantic import StringConstraints

JurisdictionCode = NewType("JurisdictionCode", str)
"""ISO 3166-1 alpha-2 or 3166-2 code: ``CA``, ``CA-QC``, ``US-NY``."""

ParticipantId = NewType("ParticipantId", str)
"""An agency or hub: its jurisdiction in lower case, a dot, its own name: ``ca-qc.sq``."""

KeyId = NewType("KeyId", str)
"""The ``kid`` of a registered key (RFC 7515 section 4.1.4), unique in an exchange."""

AlertType = NewType("AlertType", str)
"""Domain, name and version of an alert's type: ``law-enforcement/stolen-vehicle/v1``."""

AlertId = NewType("AlertId", str)
"""The exchange's own name for an accepted alert: a UUID, version 7 (RFC 9562 section 5.7)."""

DeliveryId = NewType("DeliveryId", str)
"""One recipient's copy of one alert: a UUID, version 7. Partners deduplicate on it."""

ConsentId = NewType("ConsentId", str)
"""One question of consent to one dispatch: a UUID, version 7."""

AgreementId = NewType("AgreementId", str)
"""The name of an agreement, the same for all its versions: ``ca-qc.us-ny.crime-2008``."""

CertificateDigest = NewType("CertificateDigest", str)
"""A certificate by the SHA-256 of its DER form, ``sha-256:`` and 64 hexadecimal digits (RFC 8705 section 3.1)."""

JURISDICTION_PATTERN = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
PARTICIPANT_PATTERN = r"^[a-z]{2}(-[a-z0-9]{1,3})?\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
KEY_ID_PATTERN = r"^[A-Za-z0-9._:-]{1,64}$"
ALERT_TYPE_PATTERN = r"^[a-z]+(-[a-z]+)*/[a-z]+(-[a-z]+)*/v[1-9][0-9]{0,2}$"
AGREEMENT_PATTERN = r"^[a-z0-9][a-z0-9.-]{1,62}[a-z0-9]$"
CERTIFICATE_PATTERN = r"^sha-256:[0-9a-f]{64}$"
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

JurisdictionField = Annotated[JurisdictionCode, StringConstraints(pattern=JURISDICTION_PATTERN)]
ParticipantField = Annotated[ParticipantId, StringConstraints(pattern=PARTICIPANT_PATTERN)]
KeyIdField = Annotated[KeyId, StringConstraints(pattern=KEY_ID_PATTERN)]
AlertTypeField = Annotated[AlertType, StringConstraints(pattern=ALERT_TYPE_PATTERN)]
AgreementField = Annotated[AgreementId, StringConstraints(pattern=AGREEMENT_PATTERN)]
AlertIdField = Annotated[AlertId, StringConstraints(pattern=UUID_PATTERN)]
CertificateField = Annotated[CertificateDigest, StringConstraints(pattern=CERTIFICATE_PATTERN)]
DeliveryIdField = Annotated[DeliveryId, StringConstraints(pattern=UUID_PATTERN)]
ConsentIdField = Annotated[ConsentId, StringConstraints(pattern=UUID_PATTERN)]


def certificate_digest(der: bytes) -> CertificateDigest:
    """Return the name of a certificate in its DER form."""
    return CertificateDigest(f"sha-256:{hashlib.sha256(der).hexdigest()}")


def uuid7(*, at: datetime, randomness: bytes) -> str:
    """Return the UUID, version 7, of an instant and ten bytes of randomness (RFC 9562 section 5.7).

    Time and randomness are arguments, so the same inputs name the same thing. Raises ``ValueError`` unless
    ``randomness`` is ten bytes long.
    """
    if len(randomness) != 10:  # noqa: PLR2004 - 74 bits are used of the 80
        raise ValueError("uuid7 takes ten bytes of randomness")
    milliseconds = int(at.timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(randomness, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def instant_ms_of(name: AlertId | DeliveryId | ConsentId) -> int:
    """Return the instant in a UUID, version 7, in milliseconds since the Unix epoch (RFC 9562 section 5.7)."""
    return int(name[:8] + name[9:13], 16)


def home_of(participant: ParticipantId) -> JurisdictionCode:
    """Return the jurisdiction that a participant's identifier names: ``ca-qc.sq`` is of ``CA-QC``."""
    return JurisdictionCode(participant.partition(".")[0].upper())
