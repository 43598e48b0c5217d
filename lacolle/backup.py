"""Backups of an exchange's database: one new file each, of its owner alone, whole or not there.

SQLite is copied page by page while the exchange runs (its online backup API); PostgreSQL by ``pg_dump`` in its custom
format, which takes no lock that an exchange waits for. Neither holds the keys that wrap content keys: they are files of
their own, and what was erased after a backup is erased in it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lacolle.errors import ConfigurationError
from schemas.bilingual import Bilingual

if TYPE_CHECKING:
    from gateway.store.address import PostgresAddress

_OWNER_ALONE: Final = 0o600
_SHOWN: Final = 2_000
PAGES: Final = 4_096
"""Pages copied between two looks at what the exchange writes meanwhile."""


def back_up_sqlite(database: Path, target: Path) -> int:
    """Copy a SQLite database to a new file, and return its size in bytes. Raises ``ConfigurationError``."""
    try:
        with (
            _new_file(target) as partial,
            closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=10.0)) as source,
            closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy, pages=PAGES, sleep=0.01)
            if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise ConfigurationError(_UNSOUND)
    except sqlite3.Error as error:
        raise ConfigurationError(_failed(type(error).__name__)) from error
    return target.stat().st_size


def back_up_postgres(address: PostgresAddress, target: Path, *, program: str, ca_file: Path | None) -> int:
    """Have ``pg_dump`` write a database to a new file, and return its size in bytes. Raises ``ConfigurationError``.

    The password goes by the environment of that process alone.
    """
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(_no_program(program))
    with _new_file(target) as partial:
        done = subprocess.run(  # noqa: S603 - the operator names the program
            [found, "--format=custom", "--no-password", f"--file={partial}", "--dbname", _conninfo(address)],
            env={**os.environ, **_environment(address, ca_file)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ConfigurationError(_failed(" ".join(done.stderr.split())[:_SHOWN]))
    return target.stat().st_size


def _conninfo(address: PostgresAddress) -> str:
    """Return where the database is, as libpq takes it (manual, section 32.1.1), without the password."""
    told = address.arguments()
    hosts, ports = told["host"], told.get("port", 5432)
    parts = {
        "host": ",".join(hosts) if isinstance(hosts, list) else hosts,
        "port": ",".join(map(str, ports)) if isinstance(ports, list) else str(ports),
        "user": told.get("user"),
        "dbname": told["database"],
        "target_session_attrs": "read-write",
    }
    quoted = {name: str(value).replace("\\", r"\\").replace("'", r"\'") for name, value in parts.items() if value}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())


def _environment(address: PostgresAddress, ca_file: Path | None) -> dict[str, str]:
    password = address.url.password
    secret = {} if password is None else {"PGPASSWORD": password}
    if address.tls is None:
        return {**secret, "PGSSLMODE": "disable"}
    return {**secret, "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system" if ca_file is None else str(ca_file)}


@contextmanager
def _new_file(target: Path) -> Iterator[Path]:
    """Yield an empty file beside the target, which takes its place, on the disk, once the block has filled it."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if target.exists():
            raise FileExistsError(17, "it exists already")
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ALONE))
        yield partial
        _sync(partial)
        os.link(partial, target)
        _sync(target.parent)
    except OSError as error:
        raise ConfigurationError(_unwritable(target, error)) from error
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_UNSOUND: Final = Bilingual(
    fr="La copie n'est pas saine : la base elle-même est endommagée.",
    en="The copy is not sound: the database itself is damaged.",
)


def _failed(why: str) -> Bilingual:
    return Bilingual(fr=f"La sauvegarde a échoué : {why}", en=f"The backup failed: {why}")


def _unwritable(target: Path, error: OSError) -> Bilingual:
    reason = error.strerror or type(error).__name__
    return Bilingual(
        fr=f"La sauvegarde ne peut être écrite dans {target} ({reason}) : nommez un fichier qui n'existe pas encore.",
        en=f"The backup can't be written to {target} ({reason}): name a file that does not exist yet.",
    )


def _no_program(program: str) -> Bilingual:
    return Bilingual(
        fr=f"{program} est introuvable : installez le client de PostgreSQL, de la version du serveur ou plus récent, "
        "ou nommez le programme avec --pg-dump.",
        en=f"{program} is not there: install PostgreSQL's client, of the server's version or newer, or name the "
        "program with --pg-dump.",
    )
