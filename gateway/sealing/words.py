"""What the log's entries withhold (``audit.withheld``): sealed here, opened here, and searched for by marks.

What an acceptance withholds is sealed under its alert's own content key and ends with it; what all others do, under the
key of a day, so many days after the entry. Either is bound to the commitment of its entry: it opens in no other's
place.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from audit.terms import words_of
from gateway.errors import LogUnavailableError
from gateway.sealing.contents import ContentKey, Contents, WrappedKey, is_dated, utc_day
from gateway.sealing.errors import SealingError
from gateway.sealing.kek import Randomness
from gateway.sealing.marks import Marks
from schemas.ids import AlertId
from schemas.signing import base64url

log = structlog.get_logger(__name__)

_SIZE: Final = 2
"""Bytes of a word's mark: enough to find few others beside it, and few enough that it proves no word.

Of a million words some fifteen share each mark. Whoever was shown an entry with a word learns its mark, and finds it
again in entries whose own words are gone; with more bytes that would be certainty. What a search finds by marks is held
against the words themselves before it is shown.
"""


class AlertKeeper:
    """Keeps what an acceptance withholds under its alert's content key."""

    __slots__ = ("_key",)

    def __init__(self, key: ContentKey) -> None:
        self._key = key

    def keep(self, disclosures: bytes, *, entry: bytes) -> bytes:
        """Return them as they are stored."""
        return self._key.seal(disclosures, place=_place(entry))


class DayKeeper:
    """Keeps what the entries of one transaction withhold under the key of a day, ``days`` after it."""

    __slots__ = ("_contents", "_days", "_now", "_randomness")

    def __init__(self, contents: Contents, *, days: int, now: datetime, randomness: Randomness) -> None:
        self._contents = contents
        self._days = days
        self._now = now
        self._randomness = randomness

    def keep(self, disclosures: bytes, *, entry: bytes) -> bytes:
        """Return them as they are stored. Raises ``LogUnavailableError`` where that day's key can't be had."""
        today, until = utc_day(self._now), utc_day(self._now + timedelta(days=self._days))
        try:
            return self._contents.seal_until(
                disclosures, place=_place(entry), until=until, today=today, randomness=self._randomness
            )
        except SealingError as error:
            log.critical("log_words_can_not_be_sealed", error=type(error).__name__)
            raise LogUnavailableError from error


NewKeeper = Callable[[datetime, Randomness], DayKeeper]
"""Makes the keeper of a transaction, by its instant and its source of randomness."""


def keeping_for(contents: Contents, *, days: int) -> NewKeeper:
    """Return what makes keepers of words that are kept for so many days."""
    return lambda now, randomness: DayKeeper(contents, days=days, now=now, randomness=randomness)


def opened_words(
    contents: Contents, sealed: bytes, *, entry: bytes, alert_id: AlertId | None, key: WrappedKey | None
) -> bytes:
    """Return what a keeper was given; ``key`` is the one to the content of the alert, where it is there.

    Raises ``ContentErasedError`` for what is gone, ``ContentUnreadableError`` for what was altered, or is another
    entry's, or has lost its key.
    """
    if is_dated(sealed) or alert_id is None:
        return contents.open_dated(sealed, place=_place(entry))
    return contents.open(alert_id, sealed, key, place=_place(entry))


def word_marks(marks: Marks, text: str) -> tuple[str, ...]:
    """Return the marks of a text's words, in no order of theirs, each once."""
    return tuple(sorted({word_mark(marks, word) for word in words_of(text)}))


def word_mark(marks: Marks, word: str) -> str:
    """Return the mark of a word of an identifier, as entries have it."""
    return base64url.encode(marks.of("word", word)[:_SIZE]).decode("ascii")


def _place(entry: bytes) -> str:
    return f"entry {entry.hex()}"
