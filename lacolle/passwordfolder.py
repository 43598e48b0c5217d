"""Passwords that are made for others, of Kafka's users and of PostgreSQL's logins, each in a file of its owner alone.

A password is in its file before any server knows it: a run that ends between the two leaves a file, and the next one
gives the server what is in it. So nobody ever has a password that nobody holds. One that replaces another waits beside
it, in ``<name>.password.next``, until the server has taken it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from lacolle.errors import ConfigurationError
from lacolle.secretfiles import read_secret
from schemas.bilingual import Bilingual

_BYTES: Final = 32
_OWNER_ALONE: Final = 0o600


class PasswordFolder:
    """The folder of the password files, ``<name>.password``; it is made where it does not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        """Return where a password stands."""
        return self.path / f"{name}.password"

    def holds(self, name: str) -> bool:
        """Whether there is a file for somebody."""
        return self.file(name).exists()

    def awaits(self, name: str) -> bool:
        """Whether a new password was made for somebody, and nobody knows whether the server has taken it."""
        return self._next(name).exists()

    def password(self, name: str) -> str:
        """Return a password, a new one where there is none yet.

        Raises ``ConfigurationError``, also for a file that everybody may read or that is no secret.
        """
        return read_secret(self.file(name)) if self.holds(name) else self._written(self.file(name))

    def next_password(self, name: str) -> str:
        """Return the password that is to replace another, the same until ``settle``. Raises ``ConfigurationError``."""
        return read_secret(self._next(name)) if self.awaits(name) else self._written(self._next(name))

    def settle(self, name: str) -> None:
        """Let the next password stand in the place of the old: the server has taken it."""
        try:
            self._next(name).rename(self.file(name))
        except OSError as error:
            raise ConfigurationError(_not_written(self.file(name), error)) from error

    def remove(self, name: str) -> None:
        """Remove the password of somebody whom the server no longer knows. Idempotent."""
        for file in (self.file(name), self._next(name)):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise ConfigurationError(_not_written(file, error)) from error

    def _next(self, name: str) -> Path:
        return self.path / f"{name}.password.next"

    def _written(self, file: Path) -> str:
        """Write a new password durably; a reader finds no file or the whole one."""
        password = secrets.token_urlsafe(_BYTES)
        partial = file.with_name(f".{file.name}.part")
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ALONE)
            with os.fdopen(descriptor, "w", encoding="ascii") as writing:
                writing.write(f"{password}\n")
                writing.flush()
                os.fsync(descriptor)
            partial.rename(file)
        except OSError as error:
            raise ConfigurationError(_not_written(file, error)) from error
        return password


def _not_written(file: Path, error: OSError) -> Bilingual:
    reason = error.strerror or type(error).__name__
    return Bilingual(
        fr=f"{file} ne peut être écrit ({reason}) : choisissez avec --passwords un dossier où vous pouvez écrire.",
        en=f"{file} can't be written ({reason}): choose a folder you may write to with --passwords.",
    )
