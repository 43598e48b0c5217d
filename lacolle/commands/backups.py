"""``lacolle db backup``: the database in one file, without the keys to what it holds sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lacolle.commands.databases import (
    Database,
    DatabaseAuthorities,
    DatabaseTls,
    ExchangeFolder,
    PasswordFile,
    database_of,
)
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual


def backup(
    *,
    voice: Voice,
    file: Annotated[Path, typer.Argument(help="The new file.")],
    exchange: ExchangeFolder,
    database: Annotated[
        str | None,
        typer.Option("--database", help="Another database than the folder's, or another role of it."),
    ] = None,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    ca_file: DatabaseAuthorities = None,
    pg_dump: Annotated[str, typer.Option("--pg-dump", help="PostgreSQL's program, as new as the server.")] = "pg_dump",
) -> None:
    """Back the database up while the exchange runs, without the keys to content: what is erased stays erased."""
    named = database_of(exchange) if database is None else Database(database, password_file, tls, ca_file)
    size = _written(named, file, pg_dump)
    voice.answer(
        {"file": str(file), "bytes": size},
        [
            Bilingual(fr=f"Sauvegarde écrite : {file} ({size} octets).", en=f"Backup written: {file} ({size} bytes)."),
            Bilingual(
                fr="Elle ne contient ni les clés du contenu ni celles de la plateforme : sauvegardez keys/ à part, et "
                "jamais content-keys/.",
                en="It holds neither the keys to content nor the exchange's own: back up keys/ apart, and "
                "content-keys/ never.",
            ),
        ],
    )


def _written(named: Database, file: Path, pg_dump: str) -> int:
    # the other commands start without a database's drivers
    from lacolle.backup import back_up_postgres, back_up_sqlite  # noqa: PLC0415 - as above

    if "://" in named.place:
        return back_up_postgres(named.address(), file, program=pg_dump, ca_file=named.ca_file)
    if not named.file.is_file():
        raise InputError(Bilingual(fr=f"{named.file} n'existe pas encore.", en=f"{named.file} does not exist yet."))
    return back_up_sqlite(named.file, file)
