"""What entries withhold, as far as anybody can still read it: opened for whoever may read the entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.errors import DisclosureError
from audit.queries import LoggedEntry
from audit.terms import read_whole
from audit.withheld import disclose, texts_of, withholds
from gateway.sealing.contents import Contents, WrappedKey
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.sealing.folder import KeyName
from gateway.sealing.words import opened_words
from gateway.store.tables import content_keys
from schemas.ids import AlertId

log = structlog.get_logger(__name__)


class Withheld(StrEnum):
    """What can be had of what an entry withholds."""

    NOTHING = "nothing"
    DISCLOSED = "disclosed"
    ERASED = "erased"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry with what it withholds: the state of that, and its disclosures where there are any."""

    entry: LoggedEntry
    whole: Mapping[str, Any]
    state: Withheld
    disclosures: tuple[str, ...] = ()

    @property
    def content(self) -> Mapping[str, Any]:
        """Its content with what is disclosed in place."""
        return disclose(self.whole["content"], self.disclosures)


async def read_entries(
    connection: AsyncConnection, contents: Contents, entries: Sequence[LoggedEntry]
) -> tuple[ReadEntry, ...]:
    """Return entries with what they withhold, in their order. One that can't be opened stops no other."""
    wholes = [read_whole(each.canonical) for each in entries]
    keys = await _keys(connection, wholes, entries)
    return tuple(_reported(_read(contents, entry, whole, keys)) for entry, whole in zip(entries, wholes, strict=True))


def read_own(contents: Contents, entry: LoggedEntry, key: WrappedKey | None) -> ReadEntry:
    """Return an entry about an alert with what it withholds; ``key`` is the one to the alert's content, if there."""
    whole = read_whole(entry.canonical)
    return _reported(_read(contents, entry, whole, {} if key is None else {str(whole["alert_id"]): key}))


def _read(
    contents: Contents, entry: LoggedEntry, whole: Mapping[str, Any], keys: Mapping[str, WrappedKey]
) -> ReadEntry:
    if entry.disclosures is None:  # what an entry withholds is never taken out of its row
        return ReadEntry(entry, whole, Withheld.UNREADABLE if withholds(whole["content"]) else Withheld.NOTHING)
    alert_id: AlertId | None = whole["alert_id"]
    key = None if alert_id is None else keys.get(alert_id)
    try:
        words = opened_words(contents, entry.disclosures, entry=entry.commitment, alert_id=alert_id, key=key)
        texts = texts_of(words)
        disclose(whole["content"], texts)
    except ContentErasedError:
        return ReadEntry(entry, whole, Withheld.ERASED)
    except (ContentUnreadableError, DisclosureError):
        return ReadEntry(entry, whole, Withheld.UNREADABLE)
    return ReadEntry(entry, whole, Withheld.DISCLOSED, texts)


def _reported(read: ReadEntry) -> ReadEntry:
    if read.state is Withheld.UNREADABLE:
        log.error("log_words_unreadable", log_index=read.entry.index)
    return read


async def _keys(
    connection: AsyncConnection, wholes: Sequence[Mapping[str, Any]], entries: Sequence[LoggedEntry]
) -> dict[str, WrappedKey]:
    """Return the keys to the contents of the alerts that some entries are about and keep something of."""
    wanted = sorted(
        {
            whole["alert_id"]
            for whole, entry in zip(wholes, entries, strict=True)
            if entry.disclosures is not None and whole["alert_id"] is not None
        }
    )
    if not wanted:
        return {}
    rows = await connection.execute(_KEYS, {"wanted": wanted})
    return {row.alert_id: WrappedKey(KeyName(row.wrapped_by), row.wrapped) for row in rows}


_KEYS: Final = select(content_keys.c.alert_id, content_keys.c.wrapped_by, content_keys.c.wrapped).where(
    content_keys.c.alert_id.in_(bindparam("wanted", expanding=True))
)
