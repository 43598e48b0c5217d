"""May a PostgreSQL server be trusted with a receipt? Asked before anything is written, and refused with the reason.

A receipt promises what a commit made durable, so a server that answers before its disk has the write-ahead log is of no
use, nor one whose pages a power cut may tear (PostgreSQL manual, section 19.5.1).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.errors import StoreError
from schemas.bilingual import Bilingual

_REQUIRED: Final = ("fsync", "synchronous_commit", "full_page_writes")
_OLDEST: Final = 160000
"""PostgreSQL 16, as the server counts its versions."""


async def require_durable(connection: AsyncConnection) -> None:
    """Raise ``StoreError`` where the server, or this role's settings, give up durability, or the server is too old."""
    version = int(await connection.scalar(text("SELECT current_setting('server_version_num')")) or 0)
    if version < _OLDEST:
        raise StoreError(_TOO_OLD)
    for name in _REQUIRED:
        if await connection.scalar(text("SELECT current_setting(:name)"), {"name": name}) == "off":
            raise StoreError(_off(name))


def _off(name: str) -> Bilingual:
    return Bilingual(
        fr=f"PostgreSQL tourne avec {name} = off : un récépissé pourrait être perdu avec le courant. Remettez {name} à "
        "on (postgresql.conf, ALTER DATABASE ou ALTER ROLE), puis relancez.",
        en=f"PostgreSQL runs with {name} = off: a receipt could be lost with the power. Set {name} to on again "
        "(postgresql.conf, ALTER DATABASE or ALTER ROLE), then start anew.",
    )


_TOO_OLD: Final = Bilingual(
    fr="Ce serveur PostgreSQL est antérieur à la version 16 : utilisez un serveur plus récent.",
    en="This PostgreSQL server is older than version 16: use a newer one.",
)
