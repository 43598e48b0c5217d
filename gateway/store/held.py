"""Legal holds as those see them who may: their own jurisdiction's, and those of what one sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.sealing.contents import Contents
from gateway.store.content_keys import key_of
from gateway.store.names import identifier_of
from gateway.store.reader import Reader
from gateway.store.tables import alerts, content_keys, content_statements

MOST: Final = 200
"""Holds that one answer lists at most."""


async def read_holds(
    connection: AsyncConnection, contents: Contents, reader: Reader, *, every: bool
) -> Sequence[dict[str, Any]]:
    """Return holds that a reader may know of, the latest first: those that stand, or, with ``every``, all.

    Of an alert whose content is no longer to be had, ``identifier`` is None and ``content`` says why.
    """
    ending = content_statements.alias("ending")
    wanted = (
        select(
            content_statements,
            alerts.c.sender,
            alerts.c.identifier,
            content_keys.c.wrapped_by,
            content_keys.c.wrapped,
            ending.c.log_index.label("released"),
        )
        .join(alerts, alerts.c.alert_id == content_statements.c.alert_id)
        .outerjoin(content_keys, content_keys.c.alert_id == alerts.c.alert_id)
        .outerjoin(ending, ending.c.ends == content_statements.c.digest)
        .where(content_statements.c.statement == "legal-hold", _visible(reader))
        .order_by(content_statements.c.log_index.desc())
        .limit(MOST)
    )
    rows = await connection.execute(wanted if every else wanted.where(ending.c.digest.is_(None)))
    return [
        {
            "hold": f"sha-256:{row.digest.hex()}",
            "alert_id": row.alert_id,
            "sender": row.sender,
            "identifier": identifier_of(contents, row),
            "content": contents.state(key_of(row)).value,
            "jurisdiction": row.jurisdiction,
            "log_index": row.log_index,
            "released": row.released,
            "signed": row.compact.decode("ascii"),
        }
        for row in rows
    ]


def _visible(reader: Reader) -> ColumnElement[bool]:
    """Return what holds of the holds that a reader may know of; those of others' are none of its business."""
    audited: ColumnElement[bool] = false()
    if reader.auditor:
        home = f"{reader.jurisdiction.lower()}."
        audited = or_(
            content_statements.c.jurisdiction == reader.jurisdiction,
            alerts.c.sender.startswith(home, autoescape=True),
        )
    return or_(alerts.c.sender == reader.participant, audited)
