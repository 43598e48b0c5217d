"""From rows to parcels on the bus: those of one route together, or one by one where the bus does not take them so.

A recipient's copy is made here, when it goes out. Where none can be made, the exchange reports so itself, in the place
of an adapter, and the dispatch ends as refused: what should have been withheld goes nowhere. So does a dispatch that is
not the one that the log let go (``gateway.store.logged``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import Row

from bus.contract import BusUnavailableError, Publisher, Record
from bus.events import write_outcome, write_parcel
from gateway.clock import Clock
from gateway.relaying.copies import Copies, Copy, NoCopyError, whole
from gateway.sealing.contents import Contents
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError
from gateway.store.content_keys import opened
from gateway.store.dispatches import Route
from gateway.store.terms import UnreadableTermsError, read_terms
from schemas.decisions import ClauseRef, Lane, Terms
from schemas.ids import AgreementId, AlertId, AlertType, DeliveryId, ParticipantId
from schemas.parcels import OutcomeReport, Parcel, Refused
from schemas.tracing import Tracing, fresh_traceparent

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A parcel that holds the submission as received, and the terms on which its recipient gets it.

    Of a dispatch whose terms can't be read, ``terms`` is None: nobody knows what must be withheld. One that is not
    ``is_logged`` is not what the log says that it is. One whose content can't be read has an empty body, and ``lacks``
    says why.
    """

    parcel: Parcel
    terms: Terms | None
    is_logged: bool
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What goes out on one route together, in its order."""

    route: Route
    outgoing: Sequence[Outgoing]

    @property
    def parcels(self) -> list[Parcel]:
        """The parcels, before anything is withheld from them."""
        return [each.parcel for each in self.outgoing]


class ParcelPublisher:
    """Publishes parcels of the exchange ``origin``; ``stop`` keeps it from trying one by one."""

    def __init__(
        self,
        bus: Publisher,
        *,
        contents: Contents,
        copies: Copies,
        clock: Clock,
        origin: str,
        data_schema_base: str,
        tracing: Tracing,
    ) -> None:
        self._bus = bus
        self._contents = contents
        self._copies = copies
        self._clock = clock
        self._origin = origin
        self._data_schema_base = data_schema_base
        self._tracing = tracing
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing new. Idempotent."""
        self._stopping = True

    async def publish(self, outgoing: Sequence[Outgoing]) -> Sequence[bool]:
        """Publish each recipient's copy, and say of each whether the bus took it."""
        copied = [each.parcel if _is_whole(each) else await asyncio.to_thread(self._copied, each) for each in outgoing]
        with ExitStack() as spans:
            return await self._taken([self._record(each, spans) for each in copied])

    def outgoing(self, row: Row[Any], *, until: datetime, as_of: int, is_logged: bool) -> Outgoing:
        """Return the parcel of a dispatch, as ``gateway.store.due`` reads it, for its next attempt.

        Nobody may hand it over from ``until`` on, when its agreement is no longer valid, nor once the agreement was
        recalled by a registry that has come as far as ``as_of``, or further.
        """
        submission, lacks = self._submission(row)
        copy, terms = whole(submission), _terms_of(row)
        parcel = Parcel(
            delivery_id=DeliveryId(row.delivery_id),
            alert_id=AlertId(row.alert_id),
            thread=AlertId(row.thread),
            recipient=ParticipantId(row.recipient),
            sender=ParticipantId(row.sender),
            alert_type=AlertType(row.type),
            lane=Lane(row.lane),
            under=ClauseRef(AgreementId(row.agreement), row.version, row.clause),
            attempt=row.attempts + 1,
            sent_at=datetime.fromtimestamp(row.received_ms / 1000, tz=UTC),
            deadline=min(datetime.fromtimestamp(row.deadline_ms / 1000, tz=UTC), until),
            exercise=row.status != "Actual" or (terms is not None and terms.exercise),
            content_type=copy.content_type,
            data_schema=f"{self._data_schema_base}/{row.type}",
            traceparent=row.traceparent or fresh_traceparent(AlertId(row.alert_id), DeliveryId(row.delivery_id)),
            body=copy.body,
            as_of=as_of,
        )
        return Outgoing(parcel, terms, is_logged, lacks)

    def _submission(self, row: Row[Any]) -> tuple[bytes, str]:
        """Return a dispatch's submission and ""; of one that can't be read, nothing and why."""
        try:
            return opened(self._contents, row), ""
        except ContentErasedError:
            return b"", _CONTENT_ERASED
        except ContentUnreadableError:
            return b"", _CONTENT_UNREADABLE

    def _copied(self, outgoing: Outgoing) -> Parcel | OutcomeReport:
        """Return the parcel with its recipient's copy; the report that there is none where none can be made."""
        parcel = outgoing.parcel
        try:
            copy = self._copy(outgoing)
        except NoCopyError as error:
            event = "no_copy" if outgoing.is_logged else "dispatch_altered"
            log.critical(event, delivery_id=parcel.delivery_id, participant=parcel.recipient)
            return OutcomeReport(
                delivery_id=parcel.delivery_id,
                alert_id=parcel.alert_id,
                recipient=parcel.recipient,
                attempt=parcel.attempt,
                at=self._clock(),
                outcome=Refused(str(error)),
                traceparent=parcel.traceparent,
            )
        return replace(parcel, content_type=copy.content_type, body=copy.body, manifest=copy.manifest)

    def _copy(self, outgoing: Outgoing) -> Copy:
        parcel, terms = outgoing.parcel, outgoing.terms
        if outgoing.lacks:
            raise NoCopyError(outgoing.lacks)
        if terms is None:
            raise NoCopyError(_NO_TERMS)
        if not outgoing.is_logged:
            raise NoCopyError(_ALTERED)
        return self._copies.of(parcel.body, alert_id=parcel.alert_id, alert_type=parcel.alert_type, terms=terms)

    def _record(self, message: Parcel | OutcomeReport, spans: ExitStack) -> Record:
        if isinstance(message, OutcomeReport):
            return write_outcome(message, origin=self._origin)
        span = self._tracing.span("relay", parent=message.traceparent, alert_id=message.alert_id)
        return write_parcel(replace(message, traceparent=spans.enter_context(span)), origin=self._origin)

    async def _taken(self, records: Sequence[Record]) -> list[bool]:
        """Publish records together and say of each whether the bus took it.

        Where it did not take them together they go one by one: one that it never takes holds back no other.
        """
        try:
            await self._bus.publish_all(records)
        except BusUnavailableError:
            if len(records) == 1 or self._stopping:
                return [False] * len(records)
            alone = await asyncio.gather(*(self._taken([record]) for record in records))
            return [taken for each in alone for taken in each]
        return [True] * len(records)


def _is_whole(outgoing: Outgoing) -> bool:
    whole = outgoing.terms is not None and not outgoing.terms.withholdings
    return whole and outgoing.is_logged and not outgoing.lacks


def _terms_of(row: Row[Any]) -> Terms | None:
    try:
        return read_terms(row.terms)
    except UnreadableTermsError:
        return None


_NO_TERMS: Final = "copy: terms cannot be read"
_ALTERED: Final = "dispatch: not as logged"
_CONTENT_ERASED: Final = "copy: content erased"
_CONTENT_UNREADABLE: Final = "copy: content cannot be read"
