"""``lacolle db``: the database's schema and, on PostgreSQL, the roles that may use it.

These are the owner's commands, for PostgreSQL: no gateway makes tables in a database that others share. The password
is best kept out of the address: ``--password-file`` names a file, and libpq's ``PGPASSWORD`` and ``PGPASSFILE`` are
read as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from lacolle.commands.frame import framed
from lacolle.commands.inputs import InputError
from lacolle.commands.voice import Voice
from lacolle.secretfiles import read_secret, with_password
from schemas.bilingual import Bilingual
from schemas.ids import JurisdictionCode, JurisdictionField

ResultT = TypeVar("ResultT")
Place = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="LACOLLE_DATABASE",
        help="The database, as its owner: postgresql://owner@host/database, or the path of a SQLite file.",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", envvar="LACOLLE_DATABASE_PASSWORD_FILE", help="The file of the owner's password."),
]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands."""
    group = typer.Typer(help="The database: its schema and its roles.", no_args_is_help=True)
    for command in (upgrade, current, roles):
        group.command(command.__name__)(framed(command))
    app.add_typer(group, name="db")


def upgrade(*, voice: Voice, database: Place, password_file: PasswordFile = None) -> None:
    """Bring the schema to this program's revision, in one transaction."""

    async def act(store: Any) -> tuple[str | None, str]:  # noqa: ANN401 - a Store, whose module is imported late
        from gateway.store import schema  # noqa: PLC0415 - the other commands start without a database

        before = await schema.current_revision(store.writer)
        return before, await schema.upgrade(store.writer)

    before, after = _run(_place(database, password_file), act)
    voice.answer(
        {"before": before, "revision": after},
        [
            Bilingual(
                fr=f"Le schéma en est à la révision {after} (avant : {before or 'aucune'}).",
                en=f"The schema is at revision {after} (before: {before or 'none'}).",
            )
        ],
    )


def current(*, voice: Voice, database: Place, password_file: PasswordFile = None) -> None:
    """Say which revision the schema is at, and which one this program needs."""

    async def act(store: Any) -> tuple[str | None, str]:  # noqa: ANN401 - as above
        from gateway.store import schema  # noqa: PLC0415 - as above

        return await schema.current_revision(store.writer), schema.head_revision()

    found, needed = _run(_place(database, password_file), act)
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
    exchange: Annotated[
        list[str] | None, typer.Option("--exchange", help="A login to make for gateways and relays.")
    ] = None,
    auditor: Annotated[
        list[str] | None,
        typer.Option("--auditor", help="A login to make that reads one jurisdiction's log: US-NY=auditor_ny."),
    ] = None,
) -> None:
    """Make the roles of an exchange and its auditors, and print the new logins' passwords, once."""
    auditors = [_auditor(written) for written in auditor or ()]

    async def act(store: Any) -> dict[str, str | None]:  # noqa: ANN401 - as above
        from gateway.store import roles as made  # noqa: PLC0415 - as above
        from gateway.store import schema  # noqa: PLC0415 - as above

        if not store.shared:
            raise InputError(_NO_ROLES)
        async with schema.reached(store.writer) as connection:
            await made.create_groups(connection)
            logins = {name: await made.create_exchange_login(connection, name) for name in exchange or ()}
            for jurisdiction, name in auditors:
                logins[name] = await made.create_auditor_login(connection, name, jurisdiction)
        return logins

    logins = _run(_place(database, password_file), act)
    voice.answer({"logins": logins}, [_ROLES_MADE, *(_login(*login) for login in logins.items())])


def _place(database: str, password_file: Path | None) -> str:
    """Return the database's address with the password of the file in it, as the driver takes it."""
    if password_file is None or "://" not in database:
        return database
    return with_password(database, read_secret(password_file))


def _run(place: str, act: Callable[[Any], Awaitable[ResultT]]) -> ResultT:
    if "://" not in place and not Path(place).is_file():
        raise InputError(_NO_FILE)
    return asyncio.run(_with_store(place, act))


async def _with_store(place: str, act: Callable[[Any], Awaitable[ResultT]]) -> ResultT:
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - as above

    from gateway.store.engine import open_postgres, open_sqlite  # noqa: PLC0415 - as above

    store = open_postgres(place, hurried=False) if "://" in place else open_sqlite(Path(place))
    try:
        return await act(store)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _NOT_ALLOWED:
            raise InputError(_NOT_THE_OWNER) from None
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


def _login(name: str, password: str | None) -> Bilingual:
    if password is None:
        return Bilingual(
            fr=f"{name} : existait déjà, garde son mot de passe", en=f"{name}: was there, keeps its password"
        )
    return Bilingual(fr=f"{name} : mot de passe {password}", en=f"{name}: password {password}")


_NOT_ALLOWED: Final = "42501"
_ROLES_MADE: Final = Bilingual(
    fr="Les rôles sont faits. Conservez les mots de passe : ils ne seront pas montrés de nouveau.",
    en="The roles are made. Keep the passwords: they are not shown again.",
)
_NO_ROLES: Final = Bilingual(
    fr="SQLite n'a pas de rôles : indiquez une base PostgreSQL.", en="SQLite has no roles: name a PostgreSQL database."
)
_NO_FILE: Final = Bilingual(
    fr="Ce fichier n'existe pas : indiquez une base SQLite existante, ou postgresql://…",
    en="This file does not exist: name an existing SQLite database, or postgresql://…",
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
