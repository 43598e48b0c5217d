"""Trace context (W3C Trace Context): the one header by which every part of the system names the same trace.

An alert carries a ``traceparent`` from the request that brought it to the partner that gets it. Where nobody gave one,
the alert's own id is the trace: every part names it alike without having been told, at no cost to whoever accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol
from uuid import UUID

from schemas.ids import AlertId, DeliveryId

_GIVEN: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-.*)?"
)
_OURS: Final = b"00"


def read_traceparent(given: bytes) -> str:
    """Return a header field's value as version 00 would write it; "" for one that is to be ignored (section 3.2).

    A later version is read as far as version 00 goes (section 3.2.1 and section 4.3).
    """
    found = _GIVEN.fullmatch(given.strip()) if len(given) <= _LONGEST else None
    if found is None or (given.startswith(_OURS) and found["more"] is not None):
        return ""
    return b"-".join((_OURS, found["trace"], found["parent"], found["flags"])).decode("ascii")


def traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the trace context of a request; "" where it has none, or two (section 3.2)."""
    given = [value for name, value in headers if name == b"traceparent"]
    return read_traceparent(given[0]) if len(given) == 1 else ""


def fresh_traceparent(alert_id: AlertId, delivery_id: DeliveryId) -> str:
    """Return the trace context of a delivery whose alert came without one: the alert's id, and the delivery's."""
    return f"00-{UUID(alert_id).hex}-{UUID(delivery_id).hex[16:]}-01"


class Tracing(Protocol):
    """Whoever records spans. One that records none passes the parent on."""

    def span(self, name: str, *, parent: str, **attributes: str) -> AbstractContextManager[str]:
        """Record what the block does as a child of ``parent``, a ``traceparent``; "" begins a trace.

        Yields the ``traceparent`` of the span, for what the block calls. Never raises by itself, never blocks.
        """
        ...

    def note(self, **attributes: str) -> None:
        """Add to the span around the caller what was not known when it began. Never raises, never blocks."""
        ...


class Untraced:
    """Records nothing."""

    def span(self, name: str, *, parent: str, **attributes: str) -> AbstractContextManager[str]:  # noqa: ARG002 - the protocol's
        """Yield the parent."""
        return nullcontext(parent)

    def note(self, **attributes: str) -> None:
        """Let it be."""


UNTRACED: Final = Untraced()
_LONGEST: Final = 256
