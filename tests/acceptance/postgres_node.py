"""``lacolle serve`` on a PostgreSQL database: ``python postgres_node.py FOLDER``, its URL in ``LACOLLE_NODE_DATABASE``.

The command itself, but for the database that it opens; several of them on copies of one folder share a database.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from audit.checkpoints import PublishedState, read_latest
from gateway.store.engine import Store, open_postgres
from lacolle import cli, node
from lacolle.folder import read_folder

DATABASE: Final = "LACOLLE_NODE_DATABASE"


def _open(path: Path) -> Store:  # noqa: ARG001 - it stands in for ``open_sqlite``
    return open_postgres(os.environ[DATABASE])


async def _remember(published: PublishedState) -> None:
    """Write into a folder's memory, where it is new, the last checkpoint that another process has given out."""
    store = _open(Path())
    async with store.reading() as connection:
        latest = await read_latest(connection)
    await store.close()
    if latest is not None and published.read() is None:
        published.write(latest.note.encode())


def main(folder: str) -> None:
    """Serve until SIGTERM."""
    asyncio.run(_remember(PublishedState(read_folder(Path(folder)).published_checkpoint)))
    node.open_sqlite = _open  # type: ignore[attr-defined]  # the folder's settings can name no database yet
    sys.argv = ["lacolle", "serve", folder, "--insecure-http"]
    cli.main()


if __name__ == "__main__":
    main(sys.argv[1])
