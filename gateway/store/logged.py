"""Whether a dispatch is the one that the log let go: its row may have been changed since.

Each copy that may go out has a ``routed`` entry, which says to whom, under which clause, in which lane and on which
terms. A row that says otherwise, or of which the log says nothing, must not go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.entry import Kind, commitment
from audit.tables import log_entries
from schemas.decisions import ClauseRef
from schemas.ids import AgreementId, DeliveryId


async def as_logged(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> frozenset[DeliveryId]:
    """Return which dispatches, as ``gateway.store.due`` reads them, are what the log says of them."""
    if not rows:
        return frozenset()
    wanted = {row.delivery_id.encode(): row for row in rows}
    names = {
        "alerts": sorted({row.alert_id for row in rows}),
        "agreements": sorted({row.agreement for row in rows}),
    }
    sound: set[DeliveryId] = set()
    entries: Sequence[Row[Any]] = (await connection.execute(_ROUTED, names)).all()
    for entry in entries:
        # looked for before it is read: an alert with many recipients has an entry for each
        row = next((row for name, row in wanted.items() if name in entry.content), None)
        if row is not None and _says(entry, row):
            sound.add(DeliveryId(row.delivery_id))
    return frozenset(sound)


def _says(entry: Row[Any], row: Row[Any]) -> bool:
    """Whether an entry is as it was committed to, and says what a dispatch's row says."""
    if commitment(entry.salt, entry.content) != entry.commitment:
        return False
    try:
        said: Mapping[str, Any] = orjson.loads(entry.content)
        terms = None if row.terms is None else orjson.loads(row.terms)
    except orjson.JSONDecodeError:
        return False
    content = said["content"]
    return (said["kind"], said["actor"], said["alert_id"]) == (Kind.ROUTED, row.sender, row.alert_id) and (
        content["delivery_id"],
        content["recipient"],
        content["lane"],
        content["clause"],
        content.get("terms"),
    ) == (
        row.delivery_id,
        row.recipient,
        row.lane,
        str(ClauseRef(AgreementId(row.agreement), row.version, row.clause)),
        terms,
    )


_ROUTED: Final = select(log_entries.c.salt, log_entries.c.content, log_entries.c.commitment).where(
    log_entries.c.alert_id.in_(bindparam("alerts", expanding=True)),
    log_entries.c.agreement.in_(bindparam("agreements", expanding=True)),
    log_entries.c.kind == Kind.ROUTED.value,
)
