"""``lacolle db``: the database's schema and, on PostgreSQL, the roles that may use it.

These are the owner's commands, for PostgreSQL: no gateway makes tables in a database that others share.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from lacolle.commands.backups import backup
from lacolle.commands.databases import NO_DATABASE, Database, DatabaseAuthorities, DatabaseTls, PasswordFile
from lacolle.commands.frame import framed
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from lacolle.contents import contents_of
from lacolle.passwordfolder import PasswordFolder
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, JurisdictionField

if TYPE_CHECKING:
    from gateway.sealing.contents import Contents

ResultT = TypeVar("ResultT")
Place = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="LACOLLE_DATABASE",
        help="The database, as its owner: postgresql://owner@host/database, or the path of a SQLite file.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="The database: its schema and its roles.", no_args_is_help=True)
    for command in (upgrade, current, roles, backup):
        group.command(command.__name__)(framed(command))
    app.add_typer(group, name="db")


def upgrade(
    *,
    voice: Voice,
    database: Place,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    ca_file: DatabaseAuthorities = None,
    exchange: Annotated[
        Path | None,
        typer.Option(
            "--exchange",
            envvar="LACOLLE_EXCHANGE",
            help="The exchange's folder: needed once, where an earlier program stored alerts or identifiers in the "
            "clear.",
        ),
    ] = None,
) -> None:
    """Bring the schema to this program's revision, in one transaction."""
    contents = None if exchange is None else _contents(exchange)

    async def act(store: Any) -> tuple[str | None, str]:  # noqa: ANN401 - a Store, whose module is imported late
        from gateway.store import schema  # noqa: PLC0415 - the other commands start without a database

        before = await schema.current_revision(store.writer)
        return before, await schema.upgrade(store.writer, contents)

    before, after = _run(Database(database, password_file, tls, ca_file), act)
    voice.answer(
        {"before": before, "revision": after},
        [
            Bilingual(
                fr=f"Le schéma en est à la révision {after} (avant : {before or 'aucune'}).",
                en=f"The schema is at revision {after} (before: {before or 'none'}).",
            )
        ],
    )


def current(
    *,
    voice: Voice,
    database: Place,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    ca_file: DatabaseAuthorities = None,
) -> None:
    """Say which revision the schema is at, and which one this program needs."""

    async def act(store: Any) -> tuple[str | None, str]:  # noqa: ANN401 - as above
        from gateway.store import schema  # noqa: PLC0415 - as above

        return await schema.current_revision(store.writer), schema.head_revision()

    found, needed = _run(Database(database, password_file, tls, ca_file), act)
    voice.answer(
        {"revision": found, "needed": needed, "current": found == needed},
        [
            Bilingual(
                fr=f"Le schéma en est à la révision {found or 'zéro'}; ce programme a besoin de {needed}.",
                en=f"The schema is at revision {found or 'zero'}; this program needs {needed}.",
            )
        ],
    )


def roles(
    *,
    voice: Voice,
    database: Place,
    password_file: PasswordFile = None,
    tls: DatabaseTls = None,
    ca_file: DatabaseAuthorities = None,
    exchange: Annotated[
        list[str] | None, typer.Option("--exchange", help="A login to make for gateways and relays.")
    ] = None,
    auditor: Annotated[
        list[str] | None,
        typer.Option("--auditor", help="A login to make that reads one jurisdiction's log: US-NY=auditor_ny."),
    ] = None,
    passwords: Annotated[
        Path | None,
        typer.Option("--passwords", metavar="DIR", help="Where the new logins' passwords are written, mode 0600."),
    ] = None,
) -> None:
    """Make the roles of an exchange and its auditors; passwords of new logins are in files, and nowhere else."""
    auditors = [_auditor(written) for written in auditor or ()]
    folder = None if passwords is None else PasswordFolder(passwords)

    def new_password(name: str) -> str:
        if folder is None:
            raise InputError(_no_folder(name))
        return folder.password(name)

    async def act(store: Any) -> dict[str, str | None]:  # noqa: ANN401 - as above
        from gateway.store import roles as made  # noqa: PLC0415 - as above
        from gateway.store import schema  # noqa: PLC0415 - as above

        if not store.shared:
            raise InputError(_NO_ROLES)
        async with schema.reached(store.writer) as connection:
            await made.create_groups(connection)
            made_now = [
                name
                for name in exchange or ()
                if await made.create_exchange_login(connection, name, new_password=new_password) is not None
            ]
            for jurisdiction, name in auditors:
                login = await made.create_auditor_login(connection, name, jurisdiction, new_password=new_password)
                made_now += [] if login is None else [name]
        files = {name: None if folder is None else str(folder.file(name)) for name in made_now}
        return {name: files.get(name) for name in (*(exchange or ()), *(name for _, name in auditors))}

    logins = _run(Database(database, password_file, tls, ca_file), act)
    voice.answer({"logins": logins}, [_ROLES_MADE, *(_login(*login) for login in logins.items())])


def _contents(exchange: Path) -> Contents:
    from gateway.settings.exchange import read_settings  # noqa: PLC0415 - as above
    from lacolle.folder import SETTINGS  # noqa: PLC0415 - as above

    return contents_of(read_settings(exchange / SETTINGS, os.environ), exchange)


def _run(database: Database, act: Callable[[Any], Awaitable[ResultT]]) -> ResultT:
    return asyncio.run(_with_store(database, act))


async def _with_store(database: Database, act: Callable[[Any], Awaitable[ResultT]]) -> ResultT:
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as above

    store = database.open()
    try:
        return await act(store)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _NOT_ALLOWED:
            raise InputError(_NOT_THE_OWNER) from None
        if _NO_SQLITE in str(error.orig):
            raise InputError(NO_DATABASE) from None
        raise
    finally:
        await store.close()


def _auditor(written: str) -> tuple[JurisdictionCode, str]:
    code, _, name = written.partition("=")
    try:
        jurisdiction = TypeAdapter(JurisdictionField).validate_python(code)
    except ValidationError:
        raise InputError(_NO_AUDITOR) from None
    if not name:
        raise InputError(_NO_AUDITOR)
    return jurisdiction, name


def _login(name: str, file: str | None) -> Bilingual:
    if file is None:
        return Bilingual(
            fr=f"{name} : existait déjà, garde son mot de passe", en=f"{name}: was there, keeps its password"
        )
    return Bilingual(fr=f"{name} : créé; mot de passe dans {file}", en=f"{name}: made; its password is in {file}")


def _no_folder(name: str) -> Bilingual:
    return Bilingual(
        fr=f"{name} n'existe pas encore : indiquez avec --passwords le dossier où écrire son mot de passe, ou créez-le "
        "d'abord vous-même (CREATE ROLE … LOGIN; pour une plateforme, BYPASSRLS en plus).",
        en=f"{name} does not exist yet: name the folder for its password with --passwords, or make it yourself first "
        "(CREATE ROLE … LOGIN; for an exchange, BYPASSRLS as well).",
    )


_NOT_ALLOWED: Final = "42501"
_NO_SQLITE: Final = "file is not a database"
_ROLES_MADE: Final = Bilingual(fr="Les rôles sont faits.", en="The roles are made.")
_NO_ROLES: Final = Bilingual(
    fr="SQLite n'a pas de rôles : indiquez une base PostgreSQL.", en="SQLite has no roles: name a PostgreSQL database."
)
_NOT_THE_OWNER: Final = Bilingual(
    fr="Ce rôle n'a pas le droit de faire cela : connectez-vous comme propriétaire de la base, qui peut créer des "
    "rôles et les soustraire à la sécurité par ligne (BYPASSRLS).",
    en="This role may not do that: connect as the database's owner, who may make roles and exempt them from row-level "
    "security (BYPASSRLS).",
)
_NO_AUDITOR: Final = Bilingual(
    fr="--auditor s'écrit JURIDICTION=NOM, par exemple US-NY=auditor_ny.",
    en="--auditor is written JURISDICTION=NAME, for instance US-NY=auditor_ny.",
)
