"""Signatures, verified on threads of their own.

A signature costs more than anything else that a submission costs, and cryptography lets go of Python's lock meanwhile:
so it is checked beside the event loop, on another core where there is one. What arrives while the thread works goes to
it together, which makes the way there and back cheap when there is much to do; one submission alone goes at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from schemas.signing.jws import SignatureNotTrustedError, Unverified, verify
from schemas.signing.keys import PublicKey

AT_ONCE: Final = 16
"""Signatures that go to the thread together: enough to pay for the way, few enough to keep the loop in work."""


@dataclass(slots=True, eq=False)
class _Waiting:
    unverified: Unverified
    key: PublicKey | None
    future: asyncio.Future[bytes] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Verifier:
    """Verifies submissions on ``executor``, in the order in which they come."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        """Return the payload. Raises ``SignatureNotTrustedError``, also where there is no key."""
        waiting = _Waiting(unverified, key)
        self._waiting.append(waiting)
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="verification")
        return await waiting.future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            chosen, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                trusted = await loop.run_in_executor(self._executor, _trusted, chosen)
            except BaseException as error:  # whoever waits must hear of it, whatever it is
                for waiting in (*chosen, *self._waiting):
                    if not waiting.future.done():
                        waiting.future.set_exception(error)
                self._waiting.clear()
                self._working = None
                raise
            for waiting, holds in zip(chosen, trusted, strict=True):
                if waiting.future.done():  # its caller was cancelled
                    continue
                if holds:
                    waiting.future.set_result(waiting.unverified.payload)
                else:
                    waiting.future.set_exception(SignatureNotTrustedError())
        self._working = None


def _trusted(chosen: Sequence[_Waiting]) -> list[bool]:
    return [_holds(waiting) for waiting in chosen]


def _holds(waiting: _Waiting) -> bool:
    try:
        verify(waiting.unverified, waiting.key)
    except SignatureNotTrustedError:
        return False
    return True
