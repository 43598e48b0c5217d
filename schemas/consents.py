"""What somebody says who was asked for consent before an alert is released: a statement of its own, signed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Part
from schemas.ids import JURISDICTION_PATTERN, PARTICIPANT_PATTERN, AlertIdField, ConsentIdField, ParticipantField
from schemas.timestamps import UtcText


class Answer(StrEnum):
    """What was answered."""

    GIVEN = "given"
    REFUSED = "refused"


class Consent(Part):
    """The word of one who was asked, about one copy of one alert.

    ``by`` is who was asked: a participant, or a jurisdiction, for which its authority speaks. ``digest`` is
    ``sha-256:`` and the hexadecimal SHA-256 of the alert's submission, byte for byte, so that the word is about these
    bytes and no others; ``recipient`` is for whom; ``at`` when it was said, UTC.
    """

    consent_id: ConsentIdField
    alert_id: AlertIdField
    digest: Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
    recipient: ParticipantField
    by: Annotated[str, StringConstraints(pattern=f"{JURISDICTION_PATTERN}|{PARTICIPANT_PATTERN}")]
    decision: Annotated[Answer, Field(strict=False)]
    at: UtcText
