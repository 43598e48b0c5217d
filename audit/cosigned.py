"""The cosignatures that were collected, beside the checkpoints that they are over.

A checkpoint is one row for each size, and a cosignature names that size: none ever stands under another text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import groupby
from typing import Final

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.checkpoints import Checkpoint, read_checkpoint
from audit.cosignature import Cosignature
from audit.tables import cosignatures

LOOKED_AT: Final = 512
"""Cosignatures that a search for a cosigned checkpoint goes back over: some hundred checkpoints."""


async def store_cosignature(connection: AsyncConnection, size: int, given: Cosignature) -> None:
    """Keep a witness's cosignature of a checkpoint in the place of its earlier one, if there is any."""
    await connection.execute(_DELETE, {"of_size": size, "of_witness": given.name})
    row = {"size": size, "witness": given.name, "time": given.time, "line": given.line}
    await connection.execute(insert(cosignatures), row)


async def last_cosigned(connection: AsyncConnection, witness: str) -> tuple[int, int] | None:
    """Return the largest size that a witness has cosigned and when, POSIX seconds; None before the first."""
    row = (await connection.execute(_LAST, {"of_witness": witness})).first()
    return None if row is None else (row.size, row.time)


async def cosigned_line(connection: AsyncConnection, witness: str, size: int) -> str | None:
    """Return a witness's cosignature of the checkpoint of a size, as a line; None where there is none."""
    return await connection.scalar(_ONE, {"of_size": size, "of_witness": witness})


async def read_cosigned(connection: AsyncConnection, enough: Callable[[Collection[str]], bool]) -> Checkpoint | None:
    """Return the largest checkpoint, of the last some hundred cosigned, whose witnesses are ``enough``; None else."""
    rows = (await connection.execute(_RECENT)).all()
    for size, of_size in groupby(rows, key=lambda row: row.size):
        if enough([row.witness for row in of_size]):
            return await read_checkpoint(connection, size)
    return None


_DELETE: Final = delete(cosignatures).where(
    cosignatures.c.size == bindparam("of_size"), cosignatures.c.witness == bindparam("of_witness")
)
_ONE: Final = select(cosignatures.c.line).where(
    cosignatures.c.size == bindparam("of_size"), cosignatures.c.witness == bindparam("of_witness")
)
_LAST: Final = (
    select(cosignatures.c.size, cosignatures.c.time)
    .where(cosignatures.c.witness == bindparam("of_witness"))
    .order_by(cosignatures.c.size.desc())
    .limit(1)
)
_RECENT: Final = (
    select(cosignatures.c.size, cosignatures.c.witness).order_by(cosignatures.c.size.desc()).limit(LOOKED_AT)
)
