"""Records that can't be judged yet: each waits at the head of its thread, and what follows in the thread behind it.

Other threads go on. Nothing here is done on the bus, so whatever waits when the process ends comes again to the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bus.contract import Received
from lacolle.errors import (
    ConfigurationError,
    ExchangeUnreachableError,
    LacolleError,
    ProblemError,
    UnexpectedAnswerError,
)

AT_MOST: Final = 1000
"""Records that may wait; then nothing more is taken off the bus until one of them is judged."""
_COME_AGAIN: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500


def mends_itself(error: LacolleError) -> bool:
    """Whether a call may well succeed later, without anything being changed on this side."""
    match error:
        case ProblemError():
            return error.status in _COME_AGAIN or error.status >= _SERVER_ERRORS
        case ExchangeUnreachableError() | UnexpectedAnswerError() | ConfigurationError():
            return True  # of the last, a statement that is just being copied
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Postponed:
    """A record that waits, and since when by the caller's clock, in seconds."""

    received: Received
    since: float


class PostponedThreads:
    """The threads that wait, each with its records in order."""

    def __init__(self) -> None:
        self._threads: dict[bytes, deque[Postponed]] = {}
        self._count = 0

    def __contains__(self, thread: bytes) -> bool:
        return thread in self._threads

    def __len__(self) -> int:
        return self._count

    def add(self, received: Received, *, now: float) -> None:
        """Put a record at the end of its thread."""
        self._threads.setdefault(received.record.key, deque()).append(Postponed(received, now))
        self._count += 1

    async def judge(self, judged: Callable[[Postponed], Awaitable[bool]]) -> None:
        """Have every thread's records judged in order, up to the first that must wait on."""
        for thread, waiting in list(self._threads.items()):
            while waiting and await judged(waiting[0]):
                waiting.popleft()
                self._count -= 1
            if not waiting:
                del self._threads[thread]
