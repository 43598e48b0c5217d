"""A log entry: the draft a writer makes, the canonical bytes, and the commitment to them.

An entry is the RFC 8785 form of one JSON object with the members ``index``, ``time``, ``kind``, ``actor``,
``jurisdictions``, ``alert_id``, ``agreement`` and ``content``. The log commits to it as
``SHA-256(salt || entry)`` with 32 bytes of salt of its own, so that the public tree says nothing about what an entry
holds, and an entry can be erased later without touching the tree.

What each kind says is in ``audit.kinds``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from audit.errors import MalformedEntryError
from audit.kinds import KINDS, Kind
from schemas.bilingual import Bilingual
from schemas.ids import (
    AgreementField,
    AgreementId,
    AlertId,
    AlertIdField,
    JurisdictionCode,
    JurisdictionField,
    ParticipantField,
    ParticipantId,
)
from schemas.signing.canonical import PlainValue, canonical_plain_bytes

SALT_SIZE: Final = 32
"""Bytes of salt in a commitment."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that has no place in the log yet; its content is whole, with what the log is to withhold.

    ``actor`` is the participant whose deed it is, ``jurisdictions`` the parties who may read it: sorted and each
    named once, however they were given. Raises ``ValueError`` where ``content`` has not the members that ``KINDS``
    names.
    """

    kind: Kind
    actor: ParticipantId | None
    jurisdictions: tuple[JurisdictionCode, ...]
    alert_id: AlertId | None
    agreement: AgreementId | None
    content: Mapping[str, PlainValue]

    def __post_init__(self) -> None:
        """Hold the content to the members of its kind, and sort the parties."""
        object.__setattr__(self, "jurisdictions", _each_once(self.jurisdictions))
        rule, members = KINDS[self.kind], self.content.keys()
        if not rule.required <= members:
            raise ValueError(f"an entry of kind {self.kind} lacks {sorted(rule.required - members)}")
        if not members <= rule.allowed:
            raise ValueError(f"an entry of kind {self.kind} has no {sorted(members - rule.allowed)}")


@lru_cache(maxsize=4096)
def _each_once(jurisdictions: tuple[JurisdictionCode, ...]) -> tuple[JurisdictionCode, ...]:
    return tuple(sorted(set(jurisdictions)))


class Entry(BaseModel):
    """An entry as the log holds it; ``time`` is RFC 3339 in UTC to the millisecond."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    index: int = Field(ge=0)
    time: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$")
    kind: Kind
    actor: ParticipantField | None
    jurisdictions: tuple[JurisdictionField, ...]
    alert_id: AlertIdField | None
    agreement: AgreementField | None
    content: dict[str, JsonValue]


def time_text(now: datetime) -> str:
    """Return an instant as entries write it: RFC 3339, UTC, milliseconds, ``Z``. Raises ``ValueError`` if naive."""
    if now.tzinfo is None:
        raise ValueError("the log's time needs a time zone")
    return now.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def canonical_entry(draft: Draft, *, index: int, time: str, content: Mapping[str, PlainValue] | None = None) -> bytes:
    """Return the bytes the log commits to for a draft at its place; ``content`` is what is left of its own, if less."""
    return canonical_plain_bytes(
        {
            "index": index,
            "time": time,
            "kind": str(draft.kind),
            "actor": draft.actor,
            "jurisdictions": draft.jurisdictions,
            "alert_id": draft.alert_id,
            "agreement": draft.agreement,
            "content": draft.content if content is None else content,
        }
    )


def commitment(salt: bytes, canonical: bytes) -> bytes:
    """Return ``SHA-256(salt || entry)``, the 32 bytes that stand for an entry in public."""
    return hashlib.sha256(salt + canonical).digest()


def read_entry(canonical: bytes) -> Entry:
    """Read an entry from its bytes.

    Raises ``MalformedEntryError`` for bytes that are not the canonical form of an entry of a known kind.
    """
    try:
        entry = Entry.model_validate_json(canonical)
        again = canonical_plain_bytes(orjson.loads(canonical))
    except (ValidationError, orjson.JSONDecodeError):
        raise MalformedEntryError(_MALFORMED) from None
    if again != canonical:
        raise MalformedEntryError(_MALFORMED)
    return entry


_MALFORMED: Final = Bilingual(
    fr="Ces octets ne sont pas la forme canonique d'une inscription au journal.",
    en="These bytes are not the canonical form of a log entry.",
)
