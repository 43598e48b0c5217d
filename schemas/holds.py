"""What a jurisdiction's authority states of content: that it is held, no longer held, or to be erased.

A hold is on one alert, or on a thread: an alert that began one, and all that follow it, those to come too.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import StringConstraints, model_validator

from schemas.bilingual import Bilingual
from schemas.faults import BrokenRuleError
from schemas.fields import Part
from schemas.ids import AlertId, AlertIdField, JurisdictionField
from schemas.timestamps import UtcText

Digest: TypeAlias = Annotated[str, StringConstraints(pattern=r"^sha-256:[0-9a-f]{64}$")]
Reference: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
"""A file number, without spaces: no place for a name."""


class _AlertOrThread(Part):
    """About an alert, or about a thread, which is named by the id of the alert that began it; never both."""

    alert_id: AlertIdField | None = None
    thread: AlertIdField | None = None

    @property
    def named(self) -> AlertId:
        """The alert, or the one that began the thread."""
        return AlertId(self.alert_id or self.thread or "")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.alert_id is None) == (self.thread is None):
            raise BrokenRuleError(
                Bilingual(
                    fr="Il faut ici alert_id ou thread, et un seul des deux.",
                    en="This must have alert_id or thread, and only one of them.",
                )
            )
        return self


class LegalHold(_AlertOrThread):
    """An authority's word that the content of an alert, or of a thread, is not to be erased for now.

    ``digest`` is the SHA-256 of the submission of the alert that is named, so that the word is about these bytes and no
    others; ``at`` when it was said, UTC. The hold is known by the SHA-256 of these bytes, RFC 8785.
    """

    statement: Literal["legal-hold"]
    digest: Digest
    jurisdiction: JurisdictionField
    reference: Reference | None = None
    at: UtcText


class HoldRelease(_AlertOrThread):
    """The same authority's word that its hold is over; ``hold`` is what the hold is known by."""

    statement: Literal["hold-release"]
    hold: Digest
    jurisdiction: JurisdictionField
    at: UtcText


class ErasureOrder(Part):
    """The word of the authority of the sender's jurisdiction that an alert's content is to be erased now."""

    statement: Literal["erasure-order"]
    alert_id: AlertIdField
    digest: Digest
    jurisdiction: JurisdictionField
    at: UtcText

    @property
    def named(self) -> AlertId:
        """The alert."""
        return AlertId(self.alert_id)

    @property
    def thread(self) -> None:
        """An order is about one alert."""


ContentStatement: TypeAlias = LegalHold | HoldRelease | ErasureOrder
