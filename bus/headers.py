"""The headers of a record as a CloudEvent's attributes (Kafka binding, section 3.2), and the error of who reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Self

from bus.contract import Record
from schemas.timestamps import read_utc

SPEC_VERSION: Final = "1.0"
"""CloudEvents' own version."""
TEXT: Final = r"[^\x00-\x1f\x7f]{1,1000}"
"""What a header's text may be at all."""


class MalformedRecordError(Exception):
    """The record is not one that the exchange writes. ``reason`` names the part at fault, never its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Headers:
    """A record's headers, each of which may be asked for by name and pattern."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, bytes]) -> None:
        self._members = members

    @classmethod
    def of(cls, record: Record, *, event_type: str) -> Self:
        """Return the headers of a CloudEvent of one type; anything else is malformed."""
        members: dict[str, bytes] = {}
        for name, value in record.headers:
            if name in members:
                raise MalformedRecordError("a header occurs twice")
            members[name] = value
        headers = cls(members)
        headers.text("ce_specversion", re.escape(SPEC_VERSION))
        headers.text("ce_type", re.escape(event_type))
        return headers

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def match(self, name: str, pattern: str) -> re.Match[str]:
        """Return how a header matches a pattern, whole. Raises ``MalformedRecordError``, as all of these."""
        if name not in self._members:
            raise MalformedRecordError(f"{name} is missing")
        return checked(name, self._members[name], pattern)

    def text(self, name: str, pattern: str) -> str:
        """Return a header that matches a pattern."""
        return self.match(name, pattern).string

    def instant(self, name: str) -> datetime:
        """Return an instant in UTC."""
        try:
            return read_utc(self.text(name, TEXT))
        except ValueError:
            raise MalformedRecordError(f"{name} is not as it should be") from None

    def trace(self) -> str:
        """Return the trace context, "" where there is none."""
        return self.text("traceparent", TEXT) if "traceparent" in self else ""


def checked(name: str, value: bytes, pattern: str) -> re.Match[str]:
    """Return how some bytes match a pattern, whole. Raises ``MalformedRecordError`` with the name alone."""
    try:
        found = re.fullmatch(pattern, value.decode())
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise MalformedRecordError(f"{name} is not as it should be")
    return found


def encoded(headers: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    """Return headers as a record has them."""
    return tuple((name, value.encode()) for name, value in headers.items())
