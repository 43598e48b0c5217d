"""What an alert is known by for good, and what is shown of that: its sender and identifier, as a mark and sealed.

An identifier is in its sender's words. Rows hold its mark (``gateway.sealing.marks``), by which it is found as long as
there is an exchange, and the identifier itself sealed under the alert's content key, which ends with the content. In a
message or a log line, and in an entry's reason, an alert is named by its id.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row

from gateway.sealing.contents import IDENTIFIER, Contents
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.sealing.marks import Marks
from gateway.store.content_keys import key_of
from schemas.ids import AlertId


def name_mark(marks: Marks, sender: str, identifier: str) -> bytes:
    """Return the mark by which an alert is found."""
    return marks.of("alert", sender, identifier)


def name_marks(marks: Marks, sender: str, identifiers: Collection[str]) -> list[bytes]:
    """Return the marks of several alerts of one sender, each once, sorted."""
    return sorted({name_mark(marks, sender, each) for each in identifiers})


def payload_mark(marks: Marks, name: bytes, payload_digest: bytes) -> bytes:
    """Return the mark by which an alert's payload is known again; ``name`` is the alert's own mark."""
    return marks.of("payload", name.hex(), payload_digest.hex())


def identifier_of(contents: Contents, row: Row[Any]) -> str | None:
    """Return the identifier of a row of ``content_keys.with_keys``; None where it was erased, or can't be read."""
    if row.identifier is None:
        return None
    try:
        return contents.open(AlertId(row.alert_id), row.identifier, key_of(row), place=IDENTIFIER).decode()
    except (ContentErasedError, ContentUnreadableError):
        return None
