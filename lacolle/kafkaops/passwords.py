"""Passwords of Kafka's users, each in a file that its owner alone may read.

A password is in its file before the brokers know it: a run that ends between the two leaves a file, and the next one
gives the brokers what is in it. So no user ever has a password that nobody holds.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from lacolle.kafkaops.errors import KafkaSetupError
from lacolle.secretfiles import read_secret
from schemas.bilingual import Bilingual

_BYTES: Final = 32
_OWNER_ALONE: Final = 0o600


class PasswordFolder:
    """The folder of the password files, ``<user>.password``; it is made where it does not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, user: str) -> Path:
        """Return where a user's password stands."""
        return self.path / f"{user}.password"

    def holds(self, user: str) -> bool:
        """Whether there is a file for a user."""
        return self.file(user).exists()

    def password(self, user: str) -> str:
        """Return a user's password, a new one where there is none yet.

        Raises ``KafkaSetupError``, and ``ConfigurationError`` for a file that everybody may read or that is no secret.
        """
        return read_secret(self.file(user)) if self.holds(user) else self._written(user)

    def renewed(self, user: str) -> str:
        """Return a new password for a user, in the place of the old. Raises ``KafkaSetupError``."""
        return self._written(user)

    def _written(self, user: str) -> str:
        """Write a new password durably; a reader finds the old file or the new one, whole."""
        password = secrets.token_urlsafe(_BYTES)
        file = self.file(user)
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
            raise KafkaSetupError(_not_written(file, error)) from error
        return password


def _not_written(file: Path, error: OSError) -> Bilingual:
    reason = error.strerror or type(error).__name__
    return Bilingual(
        fr=f"{file} ne peut être écrit ({reason}) : choisissez avec --passwords un dossier où vous pouvez écrire.",
        en=f"{file} can't be written ({reason}): choose a folder you may write to with --passwords.",
    )
