"""Which database a command works on: a SQLite file, or PostgreSQL with its password and its server's authorities.

The password is best kept out of the address: ``--password-file`` names a file, and libpq's ``PGPASSWORD`` and
``PGPASSFILE`` are read as everywhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from lacolle.commands.inputs import InputError
from lacolle.secretfiles import read_secret
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from gateway.store.address import PostgresAddress
    from gateway.store.engine import Store

PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", envvar="LACOLLE_DATABASE_PASSWORD_FILE", help="The file of the role's password."),
]
DatabaseTls = Annotated[
    Literal["verify", "none"] | None,
    typer.Option(
        "--database-tls",
        envvar="LACOLLE_DATABASE_TLS",
        help="How PostgreSQL is reached: verify, or none (in the clear). Default: none on this machine alone.",
    ),
]
DatabaseAuthorities = Annotated[
    Path | None,
    typer.Option(
        "--database-ca-file",
        envvar="LACOLLE_DATABASE_CA_FILE",
        help="Certificate authorities of PostgreSQL (PEM). Default: the system's.",
    ),
]


@dataclass(frozen=True, slots=True)
class Database:
    """A database as it is named on a command line: ``place`` is a PostgreSQL URL, or the path of a SQLite file."""

    place: str
    password_file: Path | None = None
    tls: Literal["verify", "none"] | None = None
    ca_file: Path | None = None

    @property
    def file(self) -> Path:
        """The SQLite file, where ``place`` names one."""
        return Path(self.place)

    def open(self) -> Store:
        """Return its store, whose work may take its time; nothing is connected yet.

        Raises ``InputError``, ``ConfigurationError`` and ``StoreError``.
        """
        # the other commands start without a database's drivers
        from gateway.store.engine import open_postgres, open_sqlite  # noqa: PLC0415 - as above

        if "://" not in self.place:
            if not self.file.is_file():
                raise InputError(_no_file(self.file))
            return open_sqlite(self.file)
        return open_postgres(self.address(), hurried=False)

    def address(self) -> PostgresAddress:
        """Return where the PostgreSQL database is. Raises ``ConfigurationError`` and ``StoreError``."""
        from gateway.store.address import postgres_address  # noqa: PLC0415 - as above

        password = None if self.password_file is None else read_secret(self.password_file)
        return postgres_address(self.place, password=password, tls=self.tls, ca_file=self.ca_file)


ExchangeFolder = Annotated[
    Path,
    typer.Option(
        "--exchange",
        envvar="LACOLLE_EXCHANGE",
        help="The exchange's folder; of its keys none is read but those of stored content.",
    ),
]


def database_of(exchange: Path) -> Database:
    """Return the database that an exchange's settings name, the environment's over the file's.

    Raises ``SettingsError``.
    """
    from gateway.settings.exchange import read_settings  # noqa: PLC0415 - as above
    from lacolle.folder import DATABASE, SETTINGS  # noqa: PLC0415 - as above

    settings = read_settings(exchange / SETTINGS, os.environ)
    store = settings.store
    if store.url is None:
        return Database(str(exchange / (store.sqlite or f"{settings.files.data}/{DATABASE}")))
    password = None if store.password_file is None else exchange / store.password_file
    return Database(store.url, password, store.tls, None if store.ca_file is None else exchange / store.ca_file)


NO_DATABASE: Final = Bilingual(
    fr="Ceci n'est pas la base de données d'une plateforme, ou ce rôle n'y a pas les droits qu'il faut.",
    en="This is not the database of an exchange, or this role does not have the rights that this needs.",
)


def _no_file(file: Path) -> Bilingual:
    return Bilingual(
        fr=f"{file} n'existe pas : indiquez la base SQLite d'une plateforme (data/exchange.sqlite3), ou postgresql://…",
        en=f"{file} does not exist: name an exchange's SQLite database (data/exchange.sqlite3), or postgresql://…",
    )
