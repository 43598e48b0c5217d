"""``lacolle ops reopen``: what was on the bus when the bus lost it, sent again."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from lacolle.client.surroundings import MACHINE
from lacolle.commands.databases import NO_DATABASE, Database, DatabaseAuthorities, DatabaseTls, PasswordFile
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from gateway.store.engine import Store


def reopen(
    *,
    voice: Voice,
    database: Annotated[
        str,
        typer.Option(
            "--database",
            envvar="LACOLLE_DATABASE",
            help="The database, as the exchange: postgresql://lacolle@host/database, or a SQLite file that no "
            "exchange is running on.",
        ),
    ],
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    ca_file: DatabaseAuthorities = None,
) -> None:
    """Let everything that was published and is not reported on be published again, now: after Kafka lost its data.

    Nothing is published by this command: a running relay does it within seconds. Partners may see a delivery twice,
    under one delivery id.
    """
    count = asyncio.run(_reopened(Database(database, password_file, tls, ca_file)))
    voice.answer({"reopened": count}, [_count(count)])


async def _reopened(database: Database) -> int:
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415 - the other commands start without a database

    store = database.open()
    try:
        return await _reopen(database, store)
    except DatabaseError:
        raise InputError(NO_DATABASE) from None
    finally:
        await store.close()


async def _reopen(database: Database, store: Store) -> int:
    from gateway.store.recovery import reopen_all  # noqa: PLC0415 - as above
    from lacolle.processes.machinery import alone_on  # noqa: PLC0415 - as above

    with nullcontext() if store.shared else alone_on(database.file.parent):
        return await reopen_all(store, now=MACHINE.now(), randomness=os.urandom)


def _count(count: int) -> Bilingual:
    return Bilingual(
        fr=f"Envois à republier : {count}. Un relais en marche s'en charge en quelques secondes.",
        en=f"Dispatches to publish again: {count}. A running relay does so within seconds.",
    )
