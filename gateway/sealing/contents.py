"""The one door to content at rest: what is stored of an alert's own words goes in and comes out here alone.

An alert has a content key of its own, 32 random bytes. Its submission, and whatever else holds words of somebody's, is
AES-256-GCM under that key (NIST SP 800-38D), with the alert's id and the place as associated data, so that nothing can
be put in another's place. The content key stands beside the alert wrapped by the key of the day on which the content
ends, or of the hold that keeps it (``gateway.sealing.folder``).

    sealed   1 byte (0x01), 12 of nonce, the ciphertext, 16 of tag
    wrapped  12 bytes of nonce, 32 of ciphertext, 16 of tag; associated data: the alert's id and the wrapping key's name

What is no alert's, and ends all the same, is sealed under the key of the day on which it ends, without one of its own:

    dated    1 byte (0x02), the day in 10 (2032-11-23), then as above; associated data: the place
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.clock import Clock
from gateway.sealing.errors import ContentErasedError, ContentUnreadableError, KeyLostError, SealingError
from gateway.sealing.folder import MARKS, KeyFolder, KeyName, day_key, day_of, is_day
from gateway.sealing.kek import KEY_SIZE, NONCE_SIZE, Randomness
from gateway.sealing.marks import Marks
from schemas.bilingual import Bilingual
from schemas.ids import AlertId

SUBMISSION: Final = "submission"
"""The place of an alert's own submission."""
IDENTIFIER: Final = "identifier"
"""The place of the identifier that its sender gave it."""
_VERSION: Final = b"\x01"
"""No compact JWS begins so, nor does an SD-JWT."""
_DATED: Final = b"\x02"
_DAY: Final = slice(1, 11)
_KEPT: Final = 64
"""Unwrapped day keys that a process has at hand: agreements name few terms, and what is read again is recent."""


class ContentState(StrEnum):
    """What can be had of an alert's content."""

    STORED = "stored"
    HELD = "held"
    ERASED = "erased"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """An alert's content key as it is stored: wrapped, and by which key."""

    by: KeyName
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A submission as it is stored, and the key to it."""

    data: bytes
    key: WrappedKey


class ContentKey:
    """An alert's content key at hand, from when it is made until all that is sealed under it is stored."""

    __slots__ = ("_alert_id", "_cipher", "_randomness", "wrapped")

    def __init__(self, alert_id: AlertId, key: bytes, wrapped: WrappedKey, randomness: Randomness) -> None:
        self.wrapped = wrapped
        self._alert_id = alert_id
        self._cipher = AESGCM(key)
        self._randomness = randomness

    def seal(self, data: bytes, *, place: str = SUBMISSION) -> bytes:
        """Return what is stored at a place of the alert."""
        nonce = self._randomness(NONCE_SIZE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, data, _about(self._alert_id, place))


class Contents:
    """Seals and opens, with the keys of one folder. Unwrapped day keys are kept in memory until their day is over.

    To be used by one thread.
    """

    def __init__(self, folder: KeyFolder, *, clock: Clock) -> None:
        self.folder = folder
        self._clock = clock
        self._kept: OrderedDict[KeyName, AESGCM] = OrderedDict()
        self._today = date.min
        self._marks: Marks | None = None

    @property
    def marks(self) -> Marks:
        """What makes marks in the place of words. Raises ``SealingError`` where its key can't be had."""
        if self._marks is None:
            self._marks = Marks(self.folder.read(MARKS))
        return self._marks

    def found_marks(self) -> Marks:
        """Return the same, under a new key where there is none: for a database that holds no mark yet. Raises too."""
        self.folder.obtain(MARKS, today=date.min)
        return self.marks

    def seal(self, alert_id: AlertId, data: bytes, *, until: date, today: date, randomness: Randomness) -> Sealed:
        """Return a submission sealed under a new content key, which the key of the day ``until`` wraps.

        Raises ``SealingError`` where that key can't be had; nothing was stored then.
        """
        key = self.new_key(alert_id, until=until, today=today, randomness=randomness)
        return Sealed(key.seal(data), key.wrapped)

    def new_key(self, alert_id: AlertId, *, until: date, today: date, randomness: Randomness) -> ContentKey:
        """Return a new content key, wrapped by the key of the day ``until``. Raises as ``seal``."""
        key = randomness(KEY_SIZE)
        wrapped = self._wrap(alert_id, key, by=day_key(until), today=today, randomness=randomness)
        return ContentKey(alert_id, key, wrapped, randomness)

    def seal_until(self, data: bytes, *, place: str, until: date, today: date, randomness: Randomness) -> bytes:
        """Return what is stored at a place that is no alert's, sealed under the key of a day. Raises as ``seal``."""
        name, nonce = day_key(until), randomness(NONCE_SIZE)
        cipher = self._at_hand(name) or self._keep(name, self.folder.obtain(name, today=today))
        return _DATED + name.encode("ascii") + nonce + cipher.encrypt(nonce, data, place.encode("ascii"))

    def open_dated(self, sealed: bytes, *, place: str) -> bytes:
        """Return what ``seal_until`` sealed. Raises ``ContentErasedError`` once its day is over, and as ``open``."""
        name, rest = KeyName(sealed[_DAY].decode("ascii", "replace")), sealed[_DAY.stop :]
        if not sealed.startswith(_DATED) or not is_day(name):
            raise ContentUnreadableError(_UNREADABLE)
        cipher = self._at_hand(name) or self._keep(name, self._read(name))
        try:
            return cipher.decrypt(rest[:NONCE_SIZE], rest[NONCE_SIZE:], place.encode("ascii"))
        except (InvalidTag, ValueError):
            raise ContentUnreadableError(_UNREADABLE) from None

    def seal_beside(
        self, alert_id: AlertId, key: WrappedKey | None, data: bytes, *, place: str, randomness: Randomness
    ) -> bytes:
        """Return what is stored at another place of an alert, sealed under its content key. Raises as ``open``."""
        nonce = randomness(NONCE_SIZE)
        return _VERSION + nonce + AESGCM(self._unwrap(alert_id, key)).encrypt(nonce, data, _about(alert_id, place))

    def open(self, alert_id: AlertId, sealed: bytes, key: WrappedKey | None, *, place: str = SUBMISSION) -> bytes:
        """Return what was sealed; ``key`` is None where it is no longer stored.

        Raises ``ContentErasedError`` for what was erased, ``ContentUnreadableError`` for what can't be read although
        it was not.
        """
        cipher = AESGCM(self._unwrap(alert_id, key))
        nonce, ciphertext = sealed[1 : 1 + NONCE_SIZE], sealed[1 + NONCE_SIZE :]
        try:
            return cipher.decrypt(nonce, ciphertext, _about(alert_id, place))
        except (InvalidTag, ValueError):
            raise ContentUnreadableError(_UNREADABLE) from None

    def rewrap(
        self, alert_id: AlertId, key: WrappedKey | None, *, by: KeyName, today: date, randomness: Randomness
    ) -> WrappedKey:
        """Return an alert's content key wrapped by another key, which is made where there is none. Raises as both."""
        return self._wrap(alert_id, self._unwrap(alert_id, key), by=by, today=today, randomness=randomness)

    def is_over(self, name: KeyName) -> bool:
        """Say whether a key is that of a day that is over: it is destroyed, or about to be."""
        day = day_of(name)
        return day is not None and day < self._clock().astimezone(UTC).date()

    def state(self, key: WrappedKey | None) -> ContentState:
        """Return what can be had of content, by the key to it; nothing is opened."""
        if key is None:
            return ContentState.ERASED
        if self.folder.has(key.by):
            return ContentState.STORED
        return ContentState.ERASED if self.is_over(key.by) else ContentState.UNREADABLE

    def missing(self, names: Iterable[KeyName]) -> Sequence[KeyName]:
        """Return which of some keys are not in the folder. Raises ``KeyFolderError``."""
        there = set(self.folder.names())
        return [name for name in names if name not in there]

    def forget(self, name: KeyName) -> None:
        """Have a key at hand no more: it is about to be destroyed."""
        self._kept.pop(name, None)

    def destroy(self, name: KeyName) -> None:
        """Destroy a key, and with it everything that it alone wraps. Raises ``KeyFolderError``."""
        self.forget(name)
        self.folder.destroy(name)

    def _wrap(self, alert_id: AlertId, key: bytes, *, by: KeyName, today: date, randomness: Randomness) -> WrappedKey:
        cipher = self._at_hand(by) or self._keep(by, self.folder.obtain(by, today=today))
        nonce = randomness(NONCE_SIZE)
        return WrappedKey(by, nonce + cipher.encrypt(nonce, key, _about(alert_id, by)))

    def _unwrap(self, alert_id: AlertId, key: WrappedKey | None) -> bytes:
        if key is None:
            raise ContentErasedError(_ERASED)
        cipher = self._at_hand(key.by) or self._keep(key.by, self._read(key.by))
        nonce, wrapped = key.wrapped[:NONCE_SIZE], key.wrapped[NONCE_SIZE:]
        try:
            return cipher.decrypt(nonce, wrapped, _about(alert_id, key.by))
        except (InvalidTag, ValueError):
            raise ContentUnreadableError(_UNREADABLE) from None

    def _read(self, name: KeyName) -> bytes:
        try:
            return self.folder.read(name)
        except KeyLostError as error:
            if self.is_over(name):
                raise ContentErasedError(_ERASED) from error  # it was destroyed in its time
            raise ContentUnreadableError(error.reason) from error
        except SealingError as error:
            raise ContentUnreadableError(error.reason) from error

    def _at_hand(self, name: KeyName) -> AESGCM | None:
        today = self._clock().astimezone(UTC).date()
        if today != self._today:  # another process destroys the keys of days that are over: none is used any more
            self._today = today
            for each in [kept for kept in self._kept if self.is_over(kept)]:
                del self._kept[each]
        return self._kept.get(name)

    def _keep(self, name: KeyName, key: bytes) -> AESGCM:
        cipher = AESGCM(key)
        if day_of(name) is not None:  # a hold may be released, and its key destroyed, at any time by any process
            self._kept[name] = cipher
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return cipher


def is_sealed(stored: bytes) -> bool:
    """Say whether stored bytes are sealed, and not a JWS as it came."""
    return stored.startswith(_VERSION)


def is_dated(stored: bytes) -> bool:
    """Say whether stored bytes are sealed under the key of a day, and not under an alert's own."""
    return stored.startswith(_DATED)


def utc_day(instant: datetime) -> date:
    """Return the day, in UTC, on which an instant falls."""
    return instant.astimezone(UTC).date()


def _about(alert_id: AlertId, what: str) -> bytes:
    return f"{alert_id} {what}".encode("ascii")


_ERASED: Final = Bilingual(
    fr="Le contenu de l'alerte a été effacé : nul ne peut plus le lire. Le journal garde ses preuves.",
    en="The alert's content was erased: nobody can read it any more. The log keeps its proofs.",
)
_UNREADABLE: Final = Bilingual(
    fr="Le contenu conservé ne peut être déchiffré : la base a été altérée, ou la clé n'est pas la sienne.",
    en="The stored content can't be decrypted: the database was altered, or the key is not the one to it.",
)
