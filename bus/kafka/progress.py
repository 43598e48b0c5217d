"""How far a group has come in one partition, while records are done in any order. Pure."""

from __future__ import annotations

from collections import deque


class PartitionProgress:
    """The records of a partition that were handed out, from the first that is not done.

    Offsets may have gaps (a partition's log holds more than its records), so what counts is the order of handing out.
    """

    __slots__ = ("_committed", "_done", "_end", "_in_hand", "_last", "lost")

    def __init__(self) -> None:
        self._in_hand: deque[int] = deque()
        self._done: set[int] = set()
        self._end: int | None = None
        self._committed: int | None = None
        self._last = -1
        self.lost = False
        """Whether the partition was taken away: what was in hand of it comes again, here or elsewhere."""

    @property
    def settled(self) -> bool:
        """Whether nothing is in hand."""
        return not self._in_hand

    @property
    def committable(self) -> int | None:
        """Return the offset to commit, which is that of the next record to be done; None where nothing is new."""
        return None if self._end == self._committed else self._end

    def precedes(self, offset: int) -> bool:
        """Say whether a record comes after all that were handed out; where not, the partition's log is another."""
        return self._last < offset

    def handed_out(self, offset: int) -> None:
        """Take note of a record; offsets rise."""
        self._last = offset
        self._in_hand.append(offset)

    def done(self, offset: int) -> None:
        """Take note that a record is done. Idempotent."""
        if not self._in_hand or offset < self._in_hand[0]:
            return
        self._done.add(offset)
        while self._in_hand and self._in_hand[0] in self._done:
            first = self._in_hand.popleft()
            self._done.remove(first)
            self._end = first + 1

    def committed(self, offset: int) -> None:
        """Take note that an offset was committed."""
        self._committed = offset
