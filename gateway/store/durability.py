"""May a PostgreSQL server be trusted with a receipt? Asked before anything is written, and refused with the reason.

A receipt promises what a commit made durable, so a server that answers before its disk has the write-ahead log is of no
use, nor one whose pages a power cut may tear (PostgreSQL manual, section 19.5.1). Asked again by each new connection
that writes: who reloads a server's settings need not restart it.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from schemas.bilingual import Bilingual

_REQUIRED: Final = ("fsync", "full_page_writes")
_OLDEST: Final = 160000
"""PostgreSQL 16, as the server counts its versions."""


async def require_durable(connection: AsyncConnection) -> None:
    """Raise ``StoreError`` where the server gives up durability, or is too old."""
    version = int(await connection.scalar(text("SELECT current_setting('server_version_num')")) or 0)
    if version < _OLDEST:
        raise StoreError(_TOO_OLD)
    for name in _REQUIRED:
        if await connection.scalar(text("SELECT current_setting(:name)"), {"name": name}) == "off":
            raise StoreError(_off(name))


def require_safe_pages(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted DBAPI connection
    """Raise ``StoreError`` where the server has given up durability since it was first asked: a new connection's look.

    ``synchronous_commit`` is the session's own.
    """
    cursor = connection.cursor()
    for name in _REQUIRED:
        cursor.execute(f"SHOW {name}")
        if cursor.fetchone()[0] == "off":
            raise StoreError(_off(name))
    cursor.close()
    connection.rollback()


def _off(name: str) -> Bilingual:
    return Bilingual(
        fr=f"PostgreSQL tourne avec {name} = off : un récépissé pourrait être perdu avec le courant. Remettez {name} à "
        "on (postgresql.conf), puis relancez.",
        en=f"PostgreSQL runs with {name} = off: a receipt could be lost with the power. Set {name} to on again "
        "(postgresql.conf), then start anew.",
    )


_TOO_OLD: Final = Bilingual(
    fr="Ce serveur PostgreSQL est antérieur à la version 16 : utilisez un serveur plus récent.",
    en="This PostgreSQL server is older than version 16: use a newer one.",
)
