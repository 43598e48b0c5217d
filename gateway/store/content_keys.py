"""Content keys as rows: what a query must read to open content, and which wrapping keys are still needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Row, Select, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from gateway.sealing.contents import Contents, WrappedKey
from gateway.sealing.folder import KeyName
from gateway.store.engine import Store
from gateway.store.retention import Retention
from gateway.store.tables import alerts, content_keys
from schemas.bilingual import Bilingual
from schemas.ids import AlertId

OPENING: Final[Sequence[Column[Any]]] = (
    alerts.c.alert_id,
    alerts.c.submission,
    content_keys.c.wrapped_by,
    content_keys.c.wrapped,
)
"""The columns that ``opened`` needs."""


def with_keys(statement: Select[Any]) -> Select[Any]:
    """Return a query of alerts that reads the keys to their content too, where there are any."""
    return statement.outerjoin(content_keys, content_keys.c.alert_id == alerts.c.alert_id)


def key_of(row: Row[Any]) -> WrappedKey | None:
    """Return the key to a row's content; None where it was erased."""
    return None if row.wrapped is None else WrappedKey(KeyName(row.wrapped_by), row.wrapped)


def opened(contents: Contents, row: Row[Any]) -> bytes:
    """Return the submission of a row of ``with_keys``, as it came.

    Raises ``ContentErasedError`` and ``ContentUnreadableError``.
    """
    return contents.open(AlertId(row.alert_id), row.submission, key_of(row))


def content_key_row(alert_id: AlertId, key: WrappedKey, retention: Retention) -> tuple[Any, ...]:
    """Return the row of ``content_keys``, in the order of its columns."""
    return (
        alert_id,
        key.by,
        key.wrapped,
        retention.due_ms,
        retention.days,
        retention.basis.value,
        None,
    )


async def wrapping_keys(connection: AsyncConnection) -> Sequence[KeyName]:
    """Return the names of the keys that wrap something, in their order.

    One step of the index for each name: there are as many as days to come, however many alerts there are.
    """
    names: list[KeyName] = []
    after = ""
    while (found := await connection.scalar(_NEXT, {"after": after})) is not None:
        names.append(KeyName(found))
        after = found
    return names


async def require_keys(store: Store, contents: Contents) -> None:
    """Raise ``StoreError`` where none of the keys that content depends on is in the folder: it is another one.

    A single one that is missing concerns its own content alone.
    """
    async with store.reading() as connection:
        needed = [name for name in await wrapping_keys(connection) if not contents.is_over(name)]
    require_some(needed, contents)


def require_some(needed: Sequence[KeyName], contents: Contents) -> None:
    """Raise ``StoreError`` where some keys are needed, and none of them is in the folder."""
    if needed and len(contents.missing(needed)) == len(needed):
        raise StoreError(_OTHER_FOLDER)


_NEXT: Final = select(func.min(content_keys.c.wrapped_by)).where(content_keys.c.wrapped_by > bindparam("after"))
_OTHER_FOLDER: Final = Bilingual(
    fr="Aucune des clés dont dépend le contenu de cette base n'est dans le dossier des clés du contenu "
    "(files.content_keys) : ce n'est pas le sien, ou il est vide. Rétablissez-le avant de démarrer.",
    en="None of the keys that the content in this database depends on is in the folder of the content keys "
    "(files.content_keys): it is another one's, or empty. Put the right one back before you start.",
)
