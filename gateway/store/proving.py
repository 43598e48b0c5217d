"""What the database holds of one alert's evidence, as far as a reader may see it.

Whose eyes see what is as in ``gateway.store.reading``, and of the log as in ``audit.queries``: an auditor reads every
entry to which its jurisdiction is a party, a sender those that are about its own alert, a recipient those about its own
deliveries. Who else has looked at an alert is for auditors. Of what a reader may not read of the log, the acceptance
alone is shown, sealed: its commitment, which is public, and the proof that it is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Row, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from agreements.book import Chapter
from agreements.steps import VersionName
from audit.kinds import Kind
from audit.proofs import inclusion
from audit.queries import LoggedEntry, entries_at, entries_of_alert, entry_at
from audit.tables import log_entries, log_parties
from audit.terms import read_whole
from gateway.receipts import Promise, attached
from gateway.sealing.contents import Contents
from gateway.store.content_keys import key_of
from gateway.store.disclosed import ReadEntry, read_entries
from gateway.store.names import identifier_of
from gateway.store.reader import Reader
from gateway.store.reading import find_alert, signed_word, speaks_for, submission_of
from gateway.store.tables import acknowledgements, alerts, authority_statements, consent_answers, dispatches
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, AlertId, JurisdictionCode, ParticipantId
from schemas.timestamps import utc_text_of_ms

_LIVES: Final = (
    Kind.AGREEMENT_IN_FORCE,
    Kind.AGREEMENT_SUSPENDED,
    Kind.AGREEMENT_RESUMED,
    Kind.AGREEMENT_WITHDRAWN,
    Kind.AGREEMENT_ACCEDED,
)
_REGISTRATIONS: Final = (Kind.PARTICIPANT_REGISTERED, Kind.KEY_REVOKED)
_OF_CONSENT: Final = frozenset({Kind.CONSENT_REQUESTED, Kind.CONSENT_GIVEN, Kind.CONSENT_REFUSED, Kind.CONSENT_LAPSED})


@dataclass(frozen=True, slots=True)
class Proven:
    """An entry, as it was read, with the audit path from it to a checkpoint, nearest sibling first."""

    read: ReadEntry
    proof: tuple[bytes, ...]

    @property
    def entry(self) -> LoggedEntry:
        """The entry as it is kept."""
        return self.read.entry

    @property
    def whole(self) -> Mapping[str, Any]:
        """Its members, as the log committed to them."""
        return self.read.whole


@dataclass(frozen=True, slots=True)
class Sealed:
    """The commitment of an entry that its reader may not read, with the same path."""

    index: int
    commitment: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class FoundAlert:
    """An alert that a reader may see: its row, the reader's deliveries of it, and whether it is seen whole.

    ``submission`` is what was submitted, ``identifier`` what its sender called it; each None where the content is there
    no more, or can't be read.
    """

    row: Row[Any]
    deliveries: Sequence[Row[Any]]
    whole: bool
    submission: bytes | None
    identifier: str | None

    @property
    def erased(self) -> bool:
        """Whether the key to its content is gone."""
        return key_of(self.row) is None

    @property
    def sender(self) -> ParticipantId:
        """Who sent it."""
        return ParticipantId(self.row.sender)


async def find_evidence(
    connection: AsyncConnection, contents: Contents, reader: Reader, alert_id: AlertId
) -> FoundAlert | None:
    """Return an alert that a reader may see; None where there is none."""
    row = await find_alert(connection, reader, alerts.c.alert_id == alert_id)
    if row is None:
        return None
    sent = await connection.execute(
        select(dispatches).where(dispatches.c.alert_id == alert_id, dispatches.c.released.is_not(None))
    )
    own = [each for each in sent if speaks_for(reader, each.recipient)]
    submission = await submission_of(connection, contents, alert_id)
    mine = sorted(own, key=lambda each: str(each.recipient))
    return FoundAlert(row, mine, speaks_for(reader, row.sender), submission, identifier_of(contents, row))


async def entries_about(
    connection: AsyncConnection, reader: Reader, found: FoundAlert, *, size: int
) -> tuple[LoggedEntry, ...]:
    """Return the entries about an alert that a reader may read, among the log's first ``size``."""
    among = await entries_of_alert(connection, found.row.alert_id, jurisdiction=reader.jurisdiction)
    return tuple(each for each in among if each.index < size and _readable(reader, found, read_whole(each.canonical)))


def _readable(reader: Reader, found: FoundAlert, entry: Mapping[str, Any]) -> bool:
    """Say whether a reader may read an entry to which its jurisdiction is a party."""
    if reader.auditor:
        return True
    if entry["kind"] == Kind.QUERIED:
        return bool(entry["actor"] == reader.participant)
    if found.whole:
        return True
    if entry["kind"] == Kind.ERASED:  # it says why there is neither content nor receipt, and nothing of others
        return True
    own = {each.delivery_id for each in found.deliveries}
    return entry["content"].get("delivery_id") in own and entry["kind"] not in _OF_CONSENT


async def entries_beside(
    connection: AsyncConnection,
    reader: Reader,
    *,
    participants: Collection[str],
    versions: Collection[VersionName],
    size: int,
) -> tuple[LoggedEntry, ...]:
    """Return the entries about participants' statements and agreements' versions that a reader may read."""
    names = sorted({name for name, _ in versions})
    wanted = or_(
        and_(log_entries.c.kind.in_([str(each) for each in _REGISTRATIONS]), log_entries.c.actor.in_(participants)),
        and_(log_entries.c.kind.in_([str(each) for each in _LIVES]), log_entries.c.agreement.in_(names)),
    )
    indexes = await connection.scalars(
        select(log_entries.c.log_index)
        .join(log_parties, log_parties.c.log_index == log_entries.c.log_index)
        .where(
            log_parties.c.jurisdiction == reader.jurisdiction,
            log_entries.c.log_index < size,
            log_entries.c.alert_id.is_(None),
            wanted,
        )
    )
    among = await entries_at(connection, indexes.all())
    return tuple(each for each in among if _is_of(read_whole(each.canonical), versions))


def _is_of(entry: Mapping[str, Any], versions: Collection[VersionName]) -> bool:
    return entry["agreement"] is None or (entry["agreement"], entry["content"]["version"]) in versions


async def proven(
    connection: AsyncConnection, contents: Contents, entries: Iterable[LoggedEntry], *, size: int
) -> tuple[Proven, ...]:
    """Return entries with their proofs in the tree of ``size`` entries, in the log's order."""
    ordered = await read_entries(connection, contents, sorted(entries, key=lambda each: each.index))
    return tuple([Proven(each, await inclusion(connection, each.entry.index, size)) for each in ordered])


async def sealed(connection: AsyncConnection, found: FoundAlert, *, size: int) -> Sealed:
    """Return an alert's acceptance with its proof, of which its reader gets the commitment alone."""
    entry = await entry_at(connection, found.row.log_index)
    if entry is None:
        raise LookupError("an alert's row names an entry that is not there")
    return Sealed(entry.index, entry.commitment, await inclusion(connection, entry.index, size))


async def signed_words(
    connection: AsyncConnection, contents: Contents, found: FoundAlert, indexes: Collection[int]
) -> tuple[list[str], list[str]]:
    """Return the acknowledgements and the consents whose entries stand at some indexes, as signed, in their order.

    An acknowledgement whose note was erased with the alert's content is left out.
    """
    said = await connection.execute(
        select(acknowledgements).where(acknowledgements.c.log_index.in_(indexes)).order_by(acknowledgements.c.log_index)
    )
    words = [signed_word(contents, found.row, word) for word in said]
    answers = await connection.scalars(
        select(consent_answers.c.compact)
        .where(consent_answers.c.log_index.in_(indexes))
        .order_by(consent_answers.c.log_index)
    )
    return [word for word in words if word is not None], [answer.decode("ascii") for answer in answers]


async def statements_about(
    connection: AsyncConnection, participants: Collection[str], *, size: int
) -> Sequence[tuple[int, str]]:
    """Return every statement about participants, as signed, with the indexes of their entries, in the log's order."""
    rows = await connection.execute(
        select(authority_statements.c.log_index, authority_statements.c.compact)
        .where(authority_statements.c.participant.in_(participants), authority_statements.c.log_index < size)
        .order_by(authority_statements.c.log_index)
    )
    return [(row.log_index, row.compact.decode("ascii")) for row in rows]


def receipt_in(found: FoundAlert, *, origin: str) -> str | None:
    """Return the receipt that an alert's sender got; None where the identifier that it names was erased.

    ``origin`` is that of the log.
    """
    row = found.row
    if found.identifier is None:
        return None
    promise = Promise(
        alert_id=AlertId(row.alert_id),
        sender=found.sender,
        identifier=found.identifier,
        submission_digest=row.submission_digest,
        log_index=row.log_index,
    )
    whole = attached(row.answer, promise.payload(origin=origin, received=utc_text_of_ms(row.received_ms)))
    receipt: str = orjson.loads(whole)["receipt"]
    return receipt


def chapters_for(
    chapters: Mapping[VersionName, Chapter], reader: Reader, found: FoundAlert, entries: Iterable[Mapping[str, Any]]
) -> dict[VersionName, Chapter]:
    """Return the versions of agreements that belong to what a reader sees, of those that bind its jurisdiction.

    For whoever sees the whole these are all of them, so that every decision can be made again; for others all versions
    of the agreements whose clauses the entries name.
    """
    named = {name for entry in entries for name in _named_in(entry["content"])}
    return {
        name: each
        for name, each in chapters.items()
        if reader.jurisdiction in each.life.members and (found.whole or name[0] in named)
    }


def _named_in(content: Mapping[str, Any]) -> set[AgreementId]:
    clauses = [content["clause"]] if "clause" in content else []
    clauses += [each["clause"] for each in content.get("terms", {}).get("withheld", ())]
    return {ClauseRef.of(each).agreement for each in clauses}


def speakers_in(found: FoundAlert, entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the participants whose statements belong to what a reader sees: the sender, and whoever speaks or gets."""
    named = {found.row.sender}
    for entry in entries:
        content = entry["content"]
        by = content.get("by")
        named.update(each for each in (content.get("recipient"), by) if isinstance(each, str) and "." in each)
    return named


def parties_of(entries: Iterable[Mapping[str, Any]]) -> set[JurisdictionCode]:
    """Return every party of some entries."""
    return {JurisdictionCode(each) for entry in entries for each in entry["jurisdictions"]}
