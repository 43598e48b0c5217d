"""The accounting of disclosures: what about persons was handed to whom, when, for which purpose, on which legal basis.

Everything is read from the log and from the agreements as their parties signed them; the alerts themselves are not, so
the accounting can be made as well once their content is erased: without the sender's identifier, which ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.book import Book
from agreements.document import Agreement
from agreements.term_words import terms_in_words
from audit.exporting.rows import Column, Form, Row
from audit.kinds import Kind
from audit.queries import LoggedEntry, entries_about
from audit.terms import read_whole
from gateway.sealing.contents import Contents
from gateway.store.disclosed import read_entries
from gateway.store.terms import terms_of_content
from schemas.alerts.catalogue import marked_paths
from schemas.decisions import ClauseRef, Terms
from schemas.ids import AlertId, AlertType, ParticipantId, home_of

COLUMNS: Final = (
    Column("disclosed_at", Form.INSTANT),
    Column("sender", Form.TEXT),
    Column("recipient", Form.TEXT),
    Column("recipient_jurisdiction", Form.TEXT),
    Column("alert_id", Form.TEXT),
    Column("identifier", Form.TEXT),
    Column("type", Form.TEXT),
    Column("status", Form.TEXT),
    Column("classes", Form.NAMES),
    Column("limits_fr", Form.TEXT),
    Column("limits_en", Form.TEXT),
    Column("purpose_fr", Form.TEXT),
    Column("purpose_en", Form.TEXT),
    Column("legal_basis_fr", Form.TEXT),
    Column("legal_basis_en", Form.TEXT),
    Column("clause", Form.TEXT),
    Column("delivery_id", Form.TEXT),
    Column("proof_index", Form.NUMBER),
    Column("routed_index", Form.NUMBER),
    Column("accepted_index", Form.NUMBER),
)
"""One row for each delivery of an alert whose type has fields about persons.

``disclosed_at`` is when the log took the first word of it; there is no ``identifier`` once the content was erased.
``classes`` are those of the type's fields, ``limits_…``
what the clause withheld or obliged to; the last three columns are the entries of the log that it is read from: the
delivery or acknowledgement, the route, and the acceptance.
"""


@dataclass(frozen=True, slots=True)
class _Read:
    """An entry that was read: its place, its members, and its content with what is disclosed of it."""

    index: int
    whole: Mapping[str, Any]
    content: Mapping[str, Any]


async def disclosures(
    connection: AsyncConnection, contents: Contents, entries: Sequence[LoggedEntry], book: Callable[[], Book]
) -> Sequence[Row]:
    """Return a row for each delivery that discloses something about a person, at the first entry that proves it.

    Of ``entries``, deliveries and acknowledgements, those that are not the first about theirs come to nothing: who
    acknowledges has received, whatever was heard of the delivery.
    """
    about = sorted({AlertId(read_whole(each.canonical)["alert_id"]) for each in entries})
    accepted, routed, proven = dict[str, _Read](), dict[str, _Read](), dict[str, _Read]()
    for each in await read_entries(connection, contents, await entries_about(connection, about, _TELLING)):
        read = _Read(each.entry.index, each.whole, each.content)
        if read.whole["kind"] == Kind.ACCEPTED:
            accepted[read.whole["alert_id"]] = read
        elif read.whole["kind"] == Kind.ROUTED:
            routed[read.content["delivery_id"]] = read
        else:
            proven.setdefault(read.content["delivery_id"], read)
    asked, chapters = {each.index for each in entries}, book().chapters
    rows = list[Row]()
    for delivery_id, proof in sorted(proven.items(), key=lambda each: each[1].index):
        acceptance, route = accepted[proof.whole["alert_id"]], routed[delivery_id]
        classes = _classes(AlertType(acceptance.content["type"]))
        if proof.index in asked and classes:
            under = ClauseRef.of(route.content["clause"])
            chapter = chapters.get((under.agreement, under.version))
            document = None if chapter is None else chapter.agreement.document
            rows.append(_row(proof, acceptance, route, classes, document))
    return rows


def _row(proof: _Read, acceptance: _Read, route: _Read, classes: tuple[str, ...], document: Agreement | None) -> Row:
    recipient = ParticipantId(route.content["recipient"])
    return (
        proof.whole["time"],
        acceptance.whole["actor"],
        recipient,
        home_of(recipient),
        acceptance.whole["alert_id"],
        acceptance.content.get("identifier"),
        acceptance.content["type"],
        acceptance.content.get("status"),
        classes,
        *_limits(terms_of_content(route.content.get("terms", {}))),
        *_grounds(document),
        route.content["clause"],
        route.content["delivery_id"],
        proof.index,
        route.index,
        acceptance.index,
    )


_TELLING: Final = (Kind.ACCEPTED, Kind.ROUTED, Kind.DELIVERED, Kind.ACKNOWLEDGED)


def _grounds(document: Agreement | None) -> tuple[str | None, ...]:
    """Return the purpose and the legal basis, each in both languages; nothing of an agreement that can't be read."""
    if document is None:
        return (None, None, None, None)
    return (document.purpose.fr, document.purpose.en, document.legal_basis.fr, document.legal_basis.en)


def _limits(terms: Terms) -> tuple[str, str]:
    """Return what terms withhold and oblige to, in French and in English."""
    said = terms_in_words(terms)
    return " ".join(each.fr for each in said), " ".join(each.en for each in said)


def _classes(alert_type: AlertType) -> tuple[str, ...]:
    """Return the classes of a type's marked fields; ``unknown`` of a type that this exchange knows no more."""
    try:
        return tuple(mark for mark in ("identifying", "health") if marked_paths(alert_type, mark))
    except KeyError:
        return ("unknown",)
