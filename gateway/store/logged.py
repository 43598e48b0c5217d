"""Whether a dispatch is the one that the log let go: its row may have been changed since.

Each copy that may go out has a ``routed`` entry, which says to whom, under which clause, in which lane and on which
terms, and its row names that entry. A row that says otherwise, or of which the log says nothing, must not go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import commitment
from audit.kinds import Kind
from audit.tables import log_entries
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, DeliveryId


async def as_logged(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> frozenset[DeliveryId]:
    """Return which dispatches, as ``gateway.store.due`` reads them, are what the log says of them."""
    wanted = {row.delivery_id: row for row in rows if row.released is not None}
    named = sorted({row.released for row in wanted.values() if row.released != row.log_index})
    entries = list(await connection.execute(_NAMED, {"indexes": named})) if named else []
    entries += await _unnamed(connection, [row for row in wanted.values() if row.released == row.log_index])
    return frozenset(DeliveryId(each) for entry in entries if (each := _vouched_for(entry, wanted)) is not None)


async def _unnamed(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Return entries among which are those of dispatches of earlier versions, whose rows name their alert's alone."""
    if not rows:
        return []
    alerts, agreements = sorted({row.alert_id for row in rows}), sorted({row.agreement for row in rows})
    found = await connection.execute(_OF_ALERTS, {"alerts": alerts, "agreements": agreements})
    # an alert to many has an entry for each of them: those of one route need not all be read
    recipients = {row.recipient.encode() for row in rows}
    return [entry for entry in found if any(each in entry.content for each in recipients)]


def _vouched_for(entry: Row[Any], wanted: Mapping[str, Row[Any]]) -> str | None:
    """Return the name of the dispatch that an entry, as it was committed to, says what the row says of; None of any."""
    try:
        said: Mapping[str, Any] = orjson.loads(entry.content)
        row = wanted.get(said["content"]["delivery_id"])
        terms = None if row is None or row.terms is None else orjson.loads(row.terms)
    except (orjson.JSONDecodeError, KeyError, TypeError):  # whatever stands there was never logged
        return None
    if row is None or commitment(entry.salt, entry.content) != entry.commitment:
        return None
    content = said["content"]
    logged = said["kind"], said["actor"], said["alert_id"], content["recipient"], content["lane"], content["clause"]
    under = str(ClauseRef(AgreementId(row.agreement), row.version, row.clause))
    stored = Kind.ROUTED, row.sender, row.alert_id, row.recipient, row.lane, under
    return row.delivery_id if (*logged, content.get("terms")) == (*stored, terms) else None


_ENTRY: Final[Select[Any]] = select(log_entries.c.salt, log_entries.c.content, log_entries.c.commitment)
_NAMED: Final = _ENTRY.where(log_entries.c.log_index.in_(bindparam("indexes", expanding=True)))
_OF_ALERTS: Final = _ENTRY.where(
    log_entries.c.alert_id.in_(bindparam("alerts", expanding=True)),
    log_entries.c.agreement.in_(bindparam("agreements", expanding=True)),
    log_entries.c.kind == Kind.ROUTED.value,
)
