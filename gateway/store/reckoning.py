"""The exchange's own books: what it handed to whom in a period, line by line, and what became of single deliveries.

What was handed over is what its recipient took (``delivered``), whatever was acknowledged later. Rows are read a page
at a time in the order of their ids, which is that of time, so nothing here grows with the period; of one recipient its
own alone are read, so that it learns nothing of others' from how long that takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, Select, exists, select

from gateway.store.dispatches import DELIVERED, HELD, OPEN
from gateway.store.engine import Store
from gateway.store.tables import acknowledgements, alerts, dispatches
from schemas.decisions import Lane
from schemas.ids import AgreementId, DeliveryId, ParticipantId
from schemas.reconciliation import (
    EVERYTHING,
    MOST_GROUPS,
    UNKNOWN,
    Group,
    GroupName,
    Line,
    Period,
    Tally,
    in_order,
)

PAGE: Final = 2_000
_AT_ONCE: Final = 500


@dataclass(slots=True)
class Books:
    """What was handed to one participant in a period, by groups and in all.

    ``open`` counts what may still be, ``held`` what awaits consent, of which the participant must not learn.
    """

    total: Tally = field(default_factory=Tally)
    tallies: dict[GroupName, Tally] = field(default_factory=dict)
    open: int = 0
    held: int = 0

    def add(self, row: Row[Any]) -> None:
        """Count one delivery; they come in the order of their ids."""
        if row.state == HELD:
            self.held += 1
        elif row.state in OPEN:
            self.open += 1
        else:
            line = _line(row)
            self.total.add(line)
            self.tallies.setdefault((AgreementId(row.agreement), Lane(row.lane)), Tally()).add(line)

    def groups(self, *, in_one: bool) -> tuple[Group, ...]:
        """Return the groups by agreement and lane; one of everything where so asked, or where there are too many."""
        if in_one or len(self.tallies) > MOST_GROUPS:
            return (self.total.group(EVERYTHING),)
        return in_order(tally.group(name) for name, tally in self.tallies.items())


@dataclass(frozen=True, slots=True)
class Fate:
    """What the exchange knows of a participant's delivery; ``acknowledged`` says whether it answered for it itself."""

    sender: ParticipantId
    agreement: AgreementId
    lane: Lane
    state: str
    acknowledged: bool


async def read_books(
    store: Store, period: Period, participant: ParticipantId | None = None
) -> Mapping[ParticipantId, Books]:
    """Return the books of everyone who was to have something in a period, or of one participant, if it was."""
    wanted = _COUNTED if participant is None else _COUNTED.where(dispatches.c.recipient == participant)
    books: dict[ParticipantId, Books] = {}
    async for rows in _pages(store, wanted, period):
        for row in rows:
            books.setdefault(ParticipantId(row.recipient), Books()).add(row)
    return books


async def read_handed(
    store: Store, period: Period, participant: ParticipantId, name: GroupName
) -> AsyncIterator[Sequence[Line]]:
    """Yield the lines of a participant's group, a page at a time, in the order of their ids."""
    wanted = _COUNTED.where(dispatches.c.recipient == participant, dispatches.c.state == DELIVERED)
    agreement, lane = name
    if agreement is not None and lane is not None:
        wanted = wanted.where(dispatches.c.agreement == agreement, dispatches.c.lane == lane.value)
    async for rows in _pages(store, wanted, period):
        yield [_line(row) for row in rows]


async def read_fates(
    store: Store, participant: ParticipantId, deliveries: Sequence[DeliveryId]
) -> Mapping[DeliveryId, Fate]:
    """Return what became of deliveries to a participant; what it was never to have, or not yet, is not among them."""
    found: dict[DeliveryId, Fate] = {}
    for begin in range(0, len(deliveries), _AT_ONCE):
        some = deliveries[begin : begin + _AT_ONCE]
        wanted = _FATE.where(dispatches.c.delivery_id.in_(some), dispatches.c.recipient == participant)
        async with store.reading() as connection:
            for row in await connection.execute(wanted):
                found[DeliveryId(row.delivery_id)] = Fate(
                    ParticipantId(row.sender), AgreementId(row.agreement), Lane(row.lane), row.state, row.acknowledged
                )
    return found


async def _pages(store: Store, wanted: Select[Any], period: Period) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield the rows of a period; each page is read in a transaction of its own, so that none lasts."""
    after, end = period.bounds
    page = _of_period(wanted, after, end)
    while True:
        async with store.reading() as connection:
            rows = (await connection.execute(page)).all()
        yield rows
        if len(rows) < PAGE:
            return
        page = _of_period(wanted, rows[-1].delivery_id, end).offset(1)


def _of_period(wanted: Select[Any], after: str, end: str) -> Select[Any]:
    """Return the query of a page, from one delivery id on; of one recipient ``ix_dispatches_books`` finds it."""
    within = dispatches.c.delivery_id >= after, dispatches.c.delivery_id < end
    return wanted.where(*within).order_by(dispatches.c.delivery_id).limit(PAGE)


def _line(row: Row[Any]) -> Line:
    return Line(DeliveryId(row.delivery_id), UNKNOWN if row.handed is None else row.handed.hex())


_COUNTED: Final[Select[Any]] = select(
    dispatches.c.delivery_id,
    dispatches.c.recipient,
    dispatches.c.agreement,
    dispatches.c.lane,
    dispatches.c.state,
    dispatches.c.handed,
).where(dispatches.c.state.in_((DELIVERED, *OPEN, HELD)))
_FATE: Final[Select[Any]] = (
    select(
        dispatches.c.delivery_id,
        dispatches.c.agreement,
        dispatches.c.lane,
        dispatches.c.state,
        alerts.c.sender,
        exists().where(acknowledgements.c.delivery_id == dispatches.c.delivery_id).label("acknowledged"),
    )
    .join(alerts, alerts.c.alert_id == dispatches.c.alert_id)
    .where(dispatches.c.released.is_not(None))
)
