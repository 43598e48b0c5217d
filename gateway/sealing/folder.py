"""The folder of the keys that wrap content keys: one for each day on which content ends, one for each legal hold.

    2027-01-03.key        ends what is due that day: destroyed when the day is over
    hold-<32 digits>.key  keeps what is held: destroyed when the hold is released
    marks.key             wraps nothing and is never destroyed: marks are made under it (``gateway.sealing.marks``)

Every copy of a content key, in the database, its WAL, its backups and replicas, is wrapped by one of these. So what
makes all of them worthless is the end of one small file, which no backup of the database holds: it is overwritten,
unlinked, and both are synced to the disk. Whoever backs up this folder keeps what should be gone.

A key is in its file, and the file in its folder, durably, before anybody uses it; of several processes that make the
same one at once, on whatever machines share the folder, all get the first one's (``link`` never replaces). A day's key
is made before its day begins or never, so that one that was destroyed does not come again.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, NewType

import orjson

from gateway.sealing.errors import KeyEncryptionKeyError, KeyFolderError, KeyLostError, KeyTooLateError
from gateway.sealing.kek import KEY_SIZE, KeyEncryptionKey, Randomness, UnwrapError
from schemas.bilingual import Bilingual

KeyName = NewType("KeyName", str)
"""A day, ``2027-01-03``, or ``hold-`` and 32 hexadecimal digits; beside them ``marks``."""

MARKS: Final = KeyName("marks")
"""The name of the key under which marks are made. It never ends, so it is none of ``KeyFolder.names``."""
_ENDS: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|hold-[0-9a-f]{32}")
_SUFFIX: Final = ".key"
_FORMAT: Final = "lacolle-key/v1"
_OWNER_ALONE: Final = 0o600
_LONGEST: Final = 4_096


def day_key(day: date) -> KeyName:
    """Return the name of a day's key."""
    return KeyName(day.isoformat())


def hold_key(statement: bytes) -> KeyName:
    """Return the name of a hold's key; ``statement`` is the SHA-256 by which the hold is known."""
    return KeyName(f"hold-{statement.hex()[:32]}")


def day_of(name: KeyName) -> date | None:
    """Return the day whose key a name is; None for a hold's, and for the key of marks."""
    return date.fromisoformat(name) if name[:1].isdigit() else None


def is_day(name: str) -> bool:
    """Say whether a text is the name of a day's key."""
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What a change of the key-encryption key came to: ``damaged`` are keys that neither of the two unwraps."""

    rewrapped: int
    before: int
    damaged: tuple[KeyName, ...]


class KeyFolder:
    """The keys in one folder, wrapped by one key-encryption key."""

    def __init__(self, path: Path, kek: KeyEncryptionKey, *, randomness: Randomness) -> None:
        self.path = path
        self._kek = kek
        self._randomness = randomness

    def names(self) -> Sequence[KeyName]:
        """Return the names of the keys that there are and that end. Raises ``KeyFolderError``."""
        try:
            found = [each.name.removesuffix(_SUFFIX) for each in self.path.iterdir() if each.name.endswith(_SUFFIX)]
        except OSError as error:
            raise KeyFolderError(_no_folder(self.path, error)) from error
        return sorted(KeyName(each) for each in found if _ENDS.fullmatch(each))

    def require_usable(self) -> tuple[KeyName, ...]:
        """Return the keys that are damaged, each of which concerns what is under it alone, or marks.

        Raises ``KeyFolderError`` where the folder is missing or can't be written to, ``KeyEncryptionKeyError`` where
        keys in it were wrapped by another.
        """
        damaged = []
        for name in self._all():
            try:
                self.read(name)
            except KeyLostError:
                damaged.append(name)
        if not self.usable:
            raise KeyFolderError(_no_folder(self.path, PermissionError()))
        return tuple(damaged)

    @property
    def usable(self) -> bool:
        """Whether keys can be read and made."""
        return self.path.is_dir() and os.access(self.path, os.R_OK | os.W_OK | os.X_OK)

    def obtain(self, name: KeyName, *, today: date) -> bytes:
        """Return a key, a new one where there is none yet. A hold's is as good as new then: ``age`` begins again.

        Raises ``KeyTooLateError`` for the key of ``today`` or a day before that is not there, ``KeyLostError``,
        ``KeyFolderError`` and ``KeyEncryptionKeyError``.
        """
        day = day_of(name)
        if day is None:  # one that a placing left which came to nothing must not be destroyed under the next
            with _telling(self._file(name)), suppress(FileNotFoundError):
                os.utime(self._file(name))
        if not self._file(name).exists():
            if day is not None and day <= today:
                raise KeyTooLateError(_TOO_LATE)
            self._make(name)
        return self.read(name)

    def has(self, name: KeyName) -> bool:
        """Say whether there is a key of this name, sound or not, as far as the folder can be read."""
        try:
            return self._file(name).exists()
        except OSError:
            return False

    def read(self, name: KeyName) -> bytes:
        """Return a key. Raises ``KeyLostError`` where it is not there or damaged, and ``KeyEncryptionKeyError``."""
        try:
            with self._file(name).open("rb") as file:
                content = file.read(_LONGEST)
        except OSError as error:
            raise KeyLostError(_lost(name)) from error
        return _unwrapped(content, name, self._kek)

    def destroy(self, name: KeyName) -> None:
        """Destroy a key that ends for good, durably. Idempotent. Raises ``KeyFolderError``."""
        if name == MARKS:
            raise ValueError("the key of marks never ends")
        file = self._file(name)
        try:
            with suppress(FileNotFoundError):
                descriptor = os.open(file, os.O_WRONLY | os.O_NOFOLLOW)
                try:
                    os.write(descriptor, bytes(os.fstat(descriptor).st_size))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                file.unlink(missing_ok=True)
            self._sync()
        except OSError as error:
            raise KeyFolderError(_not_written(file, error)) from error

    def age(self, name: KeyName, *, now: datetime) -> float:
        """Return how many seconds ago a key's file was written; 0 for one that is not there."""
        try:
            return now.timestamp() - self._file(name).stat().st_mtime
        except FileNotFoundError:
            return 0.0
        except OSError as error:
            raise KeyFolderError(_not_written(self._file(name), error)) from error

    def rewrap(self, kek: KeyEncryptionKey) -> Rewrapped:
        """Wrap every key with another key-encryption key, each at once or not at all.

        One that was interrupted is finished by the same call: what is wrapped with the new one already stays. Raises
        ``KeyFolderError``, and ``KeyEncryptionKeyError`` where some are wrapped by neither.
        """
        changed = before = 0
        damaged = []
        for name in self._all():
            try:
                if _kek_of(self._file(name), name) == kek.name:
                    before += 1
                    continue
                key = self.read(name)
            except KeyLostError:
                damaged.append(name)
                continue
            with self._written(name, key, kek) as partial, _telling(self._file(name)):
                partial.replace(self._file(name))
            changed += 1
        self._sync()
        return Rewrapped(changed, before, tuple(damaged))

    def _all(self) -> Sequence[KeyName]:
        return (*self.names(), *((MARKS,) if self.has(MARKS) else ()))

    def _make(self, name: KeyName) -> None:
        key = self._randomness(KEY_SIZE)
        with self._written(name, key, self._kek) as partial, _telling(self._file(name)):
            with suppress(FileExistsError):  # another process was faster: its key is the key
                os.link(partial, self._file(name))
            partial.unlink()
        self._sync()

    @contextmanager
    def _written(self, name: KeyName, key: bytes, kek: KeyEncryptionKey) -> Iterator[Path]:
        """Yield a file of one's own that holds a key, on the disk."""
        partial = self.path / f".{name}.{os.getpid()}.{self._randomness(8).hex()}.part"
        wrapped = b64encode(kek.wrap(key, about=_about(name))).decode("ascii")
        content = orjson.dumps({"format": _FORMAT, "name": name, "kek": kek.name, "wrapped": wrapped}) + b"\n"
        with _telling(partial):
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _OWNER_ALONE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        try:
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    def _sync(self) -> None:
        with _telling(self.path):
            folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _file(self, name: KeyName) -> Path:
        if name != MARKS and not _ENDS.fullmatch(name):
            raise KeyLostError(_lost(name))
        return self.path / f"{name}{_SUFFIX}"


@contextmanager
def _telling(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyFolderError(_not_written(file, error)) from error


def _about(name: KeyName) -> str:
    return f"{_FORMAT} {name}"


def _unwrapped(content: bytes, name: KeyName, kek: KeyEncryptionKey) -> bytes:
    try:
        document = orjson.loads(content)
        wrapped, by = b64decode(document["wrapped"], validate=True), str(document["kek"])
    except (ValueError, TypeError, KeyError):
        raise KeyLostError(_lost(name)) from None
    if by != kek.name:
        raise KeyEncryptionKeyError(_other(name))
    try:
        return kek.unwrap(wrapped, about=_about(name))
    except UnwrapError:
        raise KeyLostError(_lost(name)) from None


def _kek_of(file: Path, name: KeyName) -> str:
    try:
        return str(orjson.loads(file.read_bytes())["kek"])
    except (OSError, ValueError, TypeError, KeyError):
        raise KeyLostError(_lost(name)) from None


_TOO_LATE: Final = Bilingual(
    fr="La clé d'un jour commencé ne se crée plus : réglez l'horloge de la machine.",
    en="The key of a day that has begun is made no more: set the machine's clock right.",
)


def _no_folder(path: Path, error: OSError) -> Bilingual:
    kind = type(error).__name__
    return Bilingual(
        fr=f"Le dossier des clés du contenu, {path}, manque, ou on ne peut y lire et y écrire ({kind}) : rétablissez-"
        "le, ou corrigez files.content_keys. Sans lui, nul ne peut relire les alertes conservées.",
        en=f"The folder of the content keys, {path}, is missing, or can't be read and written to ({kind}): put it "
        "back, or correct files.content_keys. Without it nobody can read the stored alerts.",
    )


def _not_written(file: Path, error: OSError) -> Bilingual:
    reason = error.strerror or type(error).__name__
    return Bilingual(
        fr=f"{file} ne peut être écrit ou détruit ({reason}) : vérifiez le dossier, ses droits et l'espace libre.",
        en=f"{file} can't be written or destroyed ({reason}): check the folder, its rights and the space left.",
    )


def _lost(name: str) -> Bilingual:
    return Bilingual(
        fr=f"La clé {name} manque ou est endommagée : ce qui en dépend ne peut être lu.",
        en=f"The key {name} is missing or damaged: what depends on it can't be read.",
    )


def _other(name: str) -> Bilingual:
    return Bilingual(
        fr=f"La clé {name} est protégée par une autre clé que celle des réglages : rétablissez l'ancienne, ou finissez "
        "le changement avec « lacolle keys rewrap ».",
        en=f"The key {name} is wrapped by another key than the settings': put the former back, or finish the change "
        "with “lacolle keys rewrap”.",
    )
