"""Signatures, verified and made in a process beside this one.

A signature costs more than anything else that a submission costs. On a thread it would take turns with the event loop
for Python's lock, some twenty times for each submission, which costs a fifth of all there is to do (see
docs/decisions/0008-signatures-beside.md); a process of its own takes no turns. What is asked within one turn of the
loop goes over together; one submission alone goes at once.

The process is started again where it ends by itself. Whoever waits then is refused as where the log can't be
appended: nothing was stored, and the same submission may come again.

A signature without a key to hold it against goes the same way as every other, against a key that nobody has: how long
the answer takes does not tell which keys are registered.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

import structlog

from gateway.errors import LogUnavailableError
from gateway.signatures import process
from schemas.ids import KeyId
from schemas.signing.algorithms import SIGNATURE_BYTES
from schemas.signing.jws import SignatureNotTrustedError, Unverified, fits
from schemas.signing.keys import PublicKey, SigningKey

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
"""Items that one answer is for: enough to pay for the way, few enough to keep both processes in work."""
RESTART_AFTER: Final = 0.2
"""Seconds before a process that ended by itself is started again."""
ENDS_WITHIN: Final = 5.0
"""Seconds that the process has to end by itself before it is killed."""
_VERDICT_BYTES: Final = 1
_NOBODY: Final = KeyId("nobody")


class Signatures(Protocol):
    """Whoever verifies and signs for the gateway."""

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        """Return the payload. Raises ``SignatureNotTrustedError``, also where there is no key."""
        ...

    async def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Return the receipt key's signature over each message, in order."""
        ...


class SignatureProcess:
    """Signatures by a process of its own, for the tasks of one event loop."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._verifying = _Channel(_VERDICT_BYTES)
        self._signing = _Channel(SIGNATURE_BYTES)
        self._process: asyncio.subprocess.Process | None = None
        self._nobody = {alg: SigningKey.generate(_NOBODY, alg).public.encoded for alg in process.ALGORITHMS}

    @property
    def available(self) -> bool:
        """Whether there is a process to ask."""
        return self._verifying.open and self._signing.open

    async def verify(self, unverified: Unverified, key: PublicKey | None) -> bytes:
        """Return the payload. Raises ``SignatureNotTrustedError``, and ``LogUnavailableError`` without a process."""
        if len(unverified.signature) != SIGNATURE_BYTES:
            raise SignatureNotTrustedError
        encoded = key.encoded if fits(key, unverified) else self._nobody[unverified.alg]
        item = process.to_verify(unverified.alg, encoded, unverified.signature, unverified.signing_input)
        if await self._verifying.ask(item) != b"\x01" or not fits(key, unverified):
            raise SignatureNotTrustedError
        return unverified.payload

    async def sign(self, messages: Sequence[bytes]) -> list[bytes]:
        """Return the receipt key's signature over each message. Raises ``LogUnavailableError`` without a process."""
        answers = [self._signing.ask(message) for message in messages]
        self._signing.flush()  # at once: the caller works on meanwhile without a turn of the loop
        return await asyncio.gather(*answers)

    async def start(self) -> None:
        """Start the process; returns when it can be asked, which is before it has loaded."""
        ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        try:
            descriptors = [end.fileno() for end in theirs]
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                process.__name__,
                *map(str, descriptors),
                pass_fds=descriptors,
                stdin=asyncio.subprocess.DEVNULL,
            )
        finally:
            for end in theirs:
                end.close()
        loop = asyncio.get_running_loop()
        for channel, end in zip((self._verifying, self._signing), ours, strict=True):
            await loop.create_connection(lambda channel=channel: channel, sock=end)  # type: ignore[misc]  # mypy sees no type for a default that is bound
        self._signing.send([bytes((process.ALGORITHMS.index(self._key.alg),)) + self._key.secret()])

    async def run(self) -> None:
        """Keep a process going until cancelled."""
        while True:
            if self._process is None:
                await self.start()
            else:
                status = await self._process.wait()
                self._process = None
                log.error("signature_process_ended", status=status)
                await asyncio.sleep(RESTART_AFTER)

    async def close(self, *, within: float = ENDS_WITHIN) -> None:
        """Let the process end, and wait until it has; ``within`` so many seconds, or else it is killed."""
        self._verifying.close()
        self._signing.close()
        if self._process is None:
            return
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            log.warning("signature_process_killed")
            self._process.kill()
            await self._process.wait()


class _Channel(asyncio.Protocol):
    """One of the two sockets: what was asked and has no answer yet, in the order in which it was asked."""

    def __init__(self, answer_bytes: int) -> None:
        self._answer_bytes = answer_bytes
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._asked: deque[asyncio.Future[bytes]] = deque()
        self._received = b""

    @property
    def open(self) -> bool:
        return self._transport is not None

    def ask(self, item: bytes) -> asyncio.Future[bytes]:
        """Return what will hold the answer. Raises ``LogUnavailableError`` where nobody is there to answer."""
        if self._transport is None:
            raise LogUnavailableError
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        if not self._unsent:
            loop.call_soon(self.flush)
        self._unsent.append(item)
        self._asked.append(answer)
        return answer

    def send(self, items: Sequence[bytes]) -> None:
        """Send items, as many together in one group as one answer is for; for what was asked, or needs no answer."""
        if self._transport is not None and items:
            groups = [process.group(items[start : start + AT_ONCE]) for start in range(0, len(items), AT_ONCE)]
            self._transport.write(b"".join(groups))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Send what was asked."""
        items, self._unsent = self._unsent, []
        self.send(items)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a socket's transport is one to write to

    def data_received(self, data: bytes) -> None:
        received, size = self._received + data, self._answer_bytes
        whole = len(received) - len(received) % size
        for at in range(0, whole, size):
            answer = self._asked.popleft()
            if not answer.done():  # else its caller was cancelled
                answer.set_result(received[at : at + size])
        self._received = received[whole:]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the interface's; however it was lost
        self._transport = None
        self._received = b""
        self._unsent.clear()
        while self._asked:
            answer = self._asked.popleft()
            with suppress(asyncio.InvalidStateError):  # its caller was cancelled
                answer.set_exception(LogUnavailableError())
