"""What can be exported: the entries of the log themselves, or a report that is read from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.book import Book
from audit.exporting.rows import Column, Form, Row
from audit.kinds import Kind
from audit.queries import LoggedEntry
from audit.withheld import said_in
from gateway.inquiry import disclosures
from gateway.inquiry.asked import Asked
from gateway.sealing.contents import Contents
from gateway.store.disclosed import ReadEntry, read_entries
from schemas.signing.canonical import canonical_plain_bytes


class Report(StrEnum):
    """What an export's rows are."""

    ENTRIES = "entries"
    DISCLOSURES = "disclosures"


ENTRY_COLUMNS: Final = (
    Column("index", Form.NUMBER),
    Column("time", Form.INSTANT, repeats=True),
    Column("kind", Form.TEXT, repeats=True),
    Column("actor", Form.TEXT, repeats=True),
    Column("jurisdictions", Form.NAMES, repeats=True),
    Column("alert_id", Form.TEXT, repeats=True),
    Column("agreement", Form.TEXT, repeats=True),
    Column("salt", Form.BYTES),
    Column("commitment", Form.BYTES),
    Column("withheld", Form.TEXT),
    Column("disclosures", Form.NAMES),
    Column("disclosed", Form.DOCUMENT, repeats=True),
    Column("entry", Form.DOCUMENT),
)
"""``entry`` is the bytes that the log commits to: with ``salt`` they make ``commitment``, which is public.

What it withholds is in ``disclosures``, each of which has its digest in ``entry``, and plainly in ``disclosed``;
``withheld`` says what can be had of it.
"""

COLUMNS: Final[Mapping[Report, Sequence[Column]]] = {
    Report.ENTRIES: ENTRY_COLUMNS,
    Report.DISCLOSURES: disclosures.COLUMNS,
}
KINDS_OF: Final[Mapping[Report, frozenset[Kind]]] = {
    Report.ENTRIES: frozenset(),
    Report.DISCLOSURES: frozenset({Kind.DELIVERED, Kind.ACKNOWLEDGED}),
}
"""The kinds of entries that a report is read from; none where it is from all."""


def among_kinds(asked: Asked, report: Report) -> Asked:
    """Return a question that asks, besides, for entries alone that a report is read from."""
    kinds = frozenset(f"kind:{kind}" for kind in KINDS_OF[report])
    return replace(asked, search=replace(asked.search, one_of=(*asked.search.one_of, kinds))) if kinds else asked


async def rows_of(
    report: Report,
    connection: AsyncConnection,
    contents: Contents,
    entries: Sequence[LoggedEntry],
    book: Callable[[], Book],
) -> Sequence[Row]:
    """Return the rows that some entries come to."""
    match report:
        case Report.ENTRIES:
            return [_entry(each) for each in await read_entries(connection, contents, entries)]
        case Report.DISCLOSURES:
            return await disclosures.disclosures(connection, contents, entries, book)


def _entry(read: ReadEntry) -> Row:
    entry, whole = read.entry, read.whole
    return (
        entry.index,
        whole["time"],
        whole["kind"],
        whole["actor"],
        tuple(whole["jurisdictions"]),
        whole["alert_id"],
        whole["agreement"],
        entry.salt,
        entry.commitment,
        read.state.value,
        read.disclosures,
        canonical_plain_bytes(said_in(read.disclosures)),
        entry.canonical,
    )
