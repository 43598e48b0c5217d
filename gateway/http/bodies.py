"""Reading a request's body: its media type first, and never more of it than the limit.

What all requests together hold has a budget, or else a few connections that never finish their batches would take the
memory that there is. Small bodies are not counted: how many connections there are bounds them, and so an ordinary alert
is taken however many large bodies are in hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Self

from starlette.types import Receive, Scope

from gateway.errors import BodyTooLargeError, InterruptedBodyError, MediaTypeError, OverCapacityError

SMALL: Final = 64 * 1024
"""Bytes up to which a body is not counted."""
_LONGEST_NUMBER: Final = 18


class BodyBudget:
    """The bytes of bodies that a process may have in hand at once, in all."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def share(self) -> Share:
        """Return one request's share; what it holds is given back when its block ends."""
        return Share(self)

    def take(self, size: int) -> None:
        """Take some bytes more, or give some back. Raises ``OverCapacityError`` where they are not there."""
        if size > self._left:
            raise OverCapacityError
        self._left -= size


class Share:
    """What one request holds of the budget."""

    __slots__ = ("_budget", "_held")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> Self:
        """Hold nothing yet."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Give back what is held."""
        if self._held:
            self._budget.take(-self._held)
            self._held = 0

    def grow_to(self, size: int) -> None:
        """Hold so many bytes. Raises ``OverCapacityError``, and holds as many as before."""
        self._budget.take(size - self._held)
        self._held = size


async def read_body(
    scope: Scope, receive: Receive, *, media_type: str, limit: int, share: Share | None = None
) -> bytes:
    """Return the body, which must be ``media_type``; in all else as ``read_either``."""
    return (await read_either(scope, receive, media_types=(media_type,), limit=limit, share=share))[1]


async def read_either(
    scope: Scope, receive: Receive, *, media_types: Sequence[str], limit: int, share: Share | None = None
) -> tuple[str, bytes]:
    """Return which of ``media_types`` the body is, and the body: at most ``limit`` bytes, no Content-Encoding.

    It counts in ``share`` once it is not ``SMALL``; without one the limit must be. Raises ``MediaTypeError``,
    ``BodyTooLargeError``, ``OverCapacityError``, and ``InterruptedBodyError`` where the client goes away; of a body
    that is too large, no more than the limit and one chunk is ever held.
    """
    media_type = _check_head(scope, media_types, limit=limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InterruptedBodyError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError(limit)
        if size > SMALL and share is not None:
            share.grow_to(size)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return media_type, chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_head(scope: Scope, media_types: Sequence[str], *, limit: int) -> str:
    given, declared = b"", b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            given = value
        elif name == b"content-length":
            declared = value
        elif name == b"content-encoding":
            raise MediaTypeError(*media_types)
    media_type = given.partition(b";")[0].strip().lower().decode("latin-1")
    if media_type not in media_types:
        raise MediaTypeError(*media_types)
    if declared.isdigit() and (len(declared) > _LONGEST_NUMBER or int(declared) > limit):
        raise BodyTooLargeError(limit)
    return media_type
