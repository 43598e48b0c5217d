"""Where a PostgreSQL database is and how its server is known: the same for every connection, however it is made.

Beyond this machine TLS is asked for, and the server must show a certificate for the name by which it was called, of an
authority that is trusted (what libpq calls ``verify-full``; PostgreSQL manual, section 32.19). Encryption that asks for
no certificate keeps nobody out who stands in between, so there is no such mode. ``none`` is for a network that nobody
else is on. What an address says of TLS itself is refused: the drivers read it differently, or not at all.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from gateway.errors import StoreError
from schemas.bilingual import Bilingual

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Tls: TypeAlias = Literal["verify", "none"]
"""``verify``: TLS, and the server's certificate and name are verified. ``none``: in the clear."""
_MEMBERS: Final = frozenset({"host", "port"})
"""What an address may have after its question mark: a socket's folder, or several hosts."""


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """A database, the role and its password, if it has one; ``tls`` is None for a connection in the clear."""

    url: URL
    tls: ssl.SSLContext | None

    @property
    def encryption(self) -> ssl.SSLContext | bool:
        """What asyncpg is told of TLS: nothing is left to it, or to the environment, to choose."""
        return False if self.tls is None else self.tls

    async def connect(
        self, *, settings: Mapping[str, str], within: float, answers_within: float | None = None
    ) -> Connection:
        """Return a connection of one's own, outside of every pool, to the server that takes writes.

        A standby has locks of its own, and nobody can listen on it. ``within`` and ``answers_within`` are seconds.
        Raises what asyncpg raises.
        """
        options: dict[str, Any] = {
            **self.arguments(),
            "server_settings": dict(settings),
            "timeout": within,
            "command_timeout": answers_within,
            "target_session_attrs": "read-write",
        }
        connection: Connection = await asyncpg.connect(**options)
        return connection

    def arguments(self) -> dict[str, Any]:
        """Return what tells asyncpg where the server is, as the engine's dialect tells it."""
        _, named = self.url.get_dialect()().create_connect_args(self.url)
        return {**named, "ssl": self.encryption}


def postgres_address(
    url: str, *, password: str | None = None, tls: Tls | None = None, ca_file: Path | None = None
) -> PostgresAddress:
    """Return the address ``postgresql://role@host/database``; several hosts are ``?host=a:5432&host=b:5432``.

    Without ``tls`` a server on this machine is reached in the clear, and any other is verified. ``ca_file`` (PEM) holds
    the authorities that are trusted, in the place of the system's. Raises ``StoreError``, which repeats no password.
    """
    try:
        place = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(_NO_URL) from None  # the message of the other would repeat a password
    if place.get_backend_name() != "postgresql" or not place.database:
        raise StoreError(_NO_URL)
    if not _MEMBERS.issuperset(place.query):
        raise StoreError(_TOO_MUCH)
    if password is not None:
        place = place.set(password=password)
    chosen = tls or ("none" if ca_file is None and _is_here(place) else "verify")
    if chosen == "none" and ca_file is not None:
        raise StoreError(_NOTHING_TO_VERIFY)
    return PostgresAddress(
        url=place.set(drivername="postgresql+asyncpg"), tls=None if chosen == "none" else _verifying(ca_file)
    )


def _is_here(place: URL) -> bool:
    """Say whether every host is named, and is this machine: a Unix socket's folder, or loopback."""
    told = place.query.get("host", ())
    hosts = [place.host] if place.host else [told] if isinstance(told, str) else list(told)
    named = [host for each in hosts for host in each.split(",")]
    return bool(named) and all(_is_local(host) for host in named)


def _is_local(host: str) -> bool:
    if host.startswith(("/", "@")):
        return True
    name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host
    for candidate in (name, name.rpartition(":")[0]):
        if candidate == "localhost":
            return True
        try:
            return ip_address(candidate).is_loopback
        except ValueError:
            continue
    return False


def _verifying(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer that verifies the chain and the name (RFC 9525)."""
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:  # of which ssl.SSLError is one
        raise StoreError(_bad_authorities(ca_file, error)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


_NO_URL: Final = Bilingual(
    fr="L'adresse de la base de données doit s'écrire postgresql://role:motdepasse@hôte/base.",
    en="The database's address must be written postgresql://role:password@host/database.",
)
_TOO_MUCH: Final = Bilingual(
    fr="Après le point d'interrogation, l'adresse de la base de données n'admet que host et port; ce qui touche à TLS "
    "(sslmode, sslrootcert, ssl) se règle par store.tls et store.ca_file, ou par --database-tls et --database-ca-file.",
    en="After its question mark, the database's address takes host and port alone; what concerns TLS (sslmode, "
    "sslrootcert, ssl) is set by store.tls and store.ca_file, or by --database-tls and --database-ca-file.",
)
_NOTHING_TO_VERIFY: Final = Bilingual(
    fr="Une autorité de certification (ca_file) ne va pas avec tls: none : rien ne serait vérifié.",
    en="A certificate authority (ca_file) does not go with tls: none: nothing would be verified.",
)


def _bad_authorities(ca_file: Path | None, error: OSError) -> Bilingual:
    kind = type(error).__name__
    return Bilingual(
        fr=f"Les autorités de certification de la base de données ne peuvent être lues ({ca_file}, {kind}) : il faut "
        "un fichier PEM.",
        en=f"The database's certificate authorities can't be read ({ca_file}, {kind}): a PEM file is needed.",
    )
