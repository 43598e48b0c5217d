"""What a jurisdiction's authority states of an alert's content: that it is held, no longer held, or to be erased."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import StringConstraints

from schemas.fields import Part
from schemas.ids import AlertIdField, JurisdictionField
from schemas.timestamps import UtcText

Digest: TypeAlias = Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
Reference: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
"""A file number, without spaces: no place for a name."""


class LegalHold(Part):
    """An authority's word that an alert's content is not to be erased for now.

    ``digest`` is the SHA-256 of the submission, so that the word is about these bytes and no others; ``at`` when it was
    said, UTC. The hold is known by the SHA-256 of these bytes, RFC 8785.
    """

    statement: Literal["legal-hold"]
    alert_id: AlertIdField
    digest: Digest
    jurisdiction: JurisdictionField
    reference: Reference | None = None
    at: UtcText


class HoldRelease(Part):
    """The same authority's word that its hold is over; ``hold`` is what the hold is known by."""

    statement: Literal["hold-release"]
    hold: Digest
    alert_id: AlertIdField
    jurisdiction: JurisdictionField
    at: UtcText


class ErasureOrder(Part):
    """The word of the authority of the sender's jurisdiction that an alert's content is to be erased now."""

    statement: Literal["erasure-order"]
    alert_id: AlertIdField
    digest: Digest
    jurisdiction: JurisdictionField
    at: UtcText


ContentStatement: TypeAlias = LegalHold | HoldRelease | ErasureOrder
